package parking

import "github.com/warmgate/warmgate/gateway"

// stepWords are the effects of the plans, for staff.
func stepWords() map[string]gateway.Text {
	return map[string]gateway.Text{
		stepEnter:    {Zh: "记录入场", En: "Record the entry"},
		stepLeave:    {Zh: "记录出场并开单", En: "Record the exit and its bill"},
		stepKeep:     {Zh: "登记", En: "Keep what was asked for"},
		stepCarIn:    {Zh: "向城市平台上报入场", En: "Report the entry to the city"},
		stepCarOut:   {Zh: "向城市平台上报出场", En: "Report the exit to the city"},
		stepApply:    {Zh: "请城市平台收取停车费", En: "Have the city collect the bill"},
		stepAnnounce: {Zh: "向支付平台登记入场", En: "Announce the car to the payment provider"},
		stepCharge:   {Zh: "请支付平台收取停车费", En: "Have the payment provider collect the bill"},
	}
}

// What assists say is done or not that no plan does.
const (
	taskExit     = "exit"
	taskBill     = "bill"
	taskPrice    = "price"
	taskRefund   = "refund"
	taskStopped  = "collection stopped"
	taskDecision = "decision"
	taskBinding  = "binding"
)

func taskWords() map[string]gateway.Text {
	return map[string]gateway.Text{
		taskExit:     {Zh: "放行出场", En: "Let the car out"},
		taskBill:     {Zh: "开具账单", En: "Make out the bill"},
		taskPrice:    {Zh: "核定停车费", En: "Price the visit"},
		taskRefund:   {Zh: "退还多付金额", En: "Give back what was paid too much"},
		taskStopped:  {Zh: "暂停收款", En: "Stop the collection"},
		taskDecision: {Zh: "裁定申诉", En: "Decide the dispute"},
		taskBinding:  {Zh: "核验并绑定车牌", En: "Verify the plate and bind it"},
	}
}
