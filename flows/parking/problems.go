package parking

import "github.com/warmgate/warmgate/gateway"

// What a barrier is refused with.
var (
	ProblemGateUnknown = &gateway.Problem{Type: "parking-gate-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "本停车场没有这个道闸", En: "This lot has no such gate"}}
	ProblemPlateInvalid = &gateway.Problem{Type: "plate-invalid", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "车牌号码有误", En: "This is not a plate"}}
	ProblemEventReused = &gateway.Problem{Type: "event-reused", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "同一事件编号不能用于不同的内容", En: "This event id was for another event"}}
	ProblemClockWrong = &gateway.Problem{Type: "clock-wrong", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "事件时间有误，请校准设备时钟", En: "This time cannot be right; check the machine's clock"}}
)

func problems() []*gateway.Problem {
	return []*gateway.Problem{ProblemGateUnknown, ProblemPlateInvalid, ProblemEventReused, ProblemClockWrong}
}
