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
		stepReceived: {Zh: "向城市平台上报已缴费", En: "Report the payment to the city"},
		stepAnnounce: {Zh: "向支付平台登记入场", En: "Announce the car to the payment provider"},
		stepCharge:   {Zh: "请支付平台收取停车费", En: "Have the payment provider collect the bill"},
	}
}

// What assists say is done or not that no plan does.
const (
	taskExit       = "exit"
	taskBill       = "bill"
	taskPrice      = "price"
	taskRefund     = "refund"
	taskStopped    = "collection stopped"
	taskDecision   = "decision"
	taskBinding    = "binding"
	taskPayment    = "payment"
	taskDifference = "difference"
)

func taskWords() map[string]gateway.Text {
	return map[string]gateway.Text{
		taskExit:       {Zh: "放行出场", En: "Let the car out"},
		taskBill:       {Zh: "开具账单", En: "Make out the bill"},
		taskPrice:      {Zh: "核定停车费", En: "Price the visit"},
		taskRefund:     {Zh: "退还多付金额", En: "Give back what was paid too much"},
		taskStopped:    {Zh: "暂停收款", En: "Stop the collection"},
		taskDecision:   {Zh: "裁定申诉", En: "Decide the dispute"},
		taskDifference: {Zh: "核实对账差异", En: "Settle the difference"},
		taskPayment:    {Zh: "收取停车费", En: "Collect the bill"},
		taskBinding:    {Zh: "核验并绑定车牌", En: "Verify the plate and bind it"},
	}
}

// purposes are what systems are told of a citizen for, in the citizen's words.
func purposes() map[string]gateway.Text {
	return map[string]gateway.Text{
		"report a car inside":             {Zh: "上报车辆入场", En: "Report a car inside"},
		"ask whether a car may pay later": {Zh: "查询车辆可否先离场后付费", En: "Ask whether a car may pay later"},
		"report a car that has left":      {Zh: "上报车辆出场", En: "Report a car that has left"},
		"collect a parking bill":          {Zh: "收取停车费", En: "Collect a parking bill"},
		"report a payment":                {Zh: "上报已缴费", En: "Report a payment"},
	}
}
