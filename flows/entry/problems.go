package entry

import (
	"slices"

	"github.com/warmgate/warmgate/gateway"
)

// The refusals at a gate, each with the sentence that the visitor reads on it.
var (
	ProblemTicketUnknown = &gateway.Problem{Type: "ticket-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有找到这张门票", En: "We cannot find this ticket"}}
	ProblemTicketUsed = &gateway.Problem{Type: "ticket-used", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这张门票已经使用过", En: "This ticket has been used"}}
	ProblemTicketCancelled = &gateway.Problem{Type: "ticket-cancelled", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这张门票已取消", En: "This ticket was cancelled"}}
	ProblemTicketOnHold = &gateway.Problem{Type: "ticket-on-hold", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "这张门票尚未完成付款或确认", En: "This ticket is not yet paid or confirmed"}}
	ProblemTicketExpired = &gateway.Problem{Type: "ticket-expired", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "这张门票已过期", En: "This ticket has expired"}}
	ProblemTicketWrongDay = &gateway.Problem{Type: "ticket-wrong-day", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "这张门票不是今天的", En: "This ticket is for another day"}}
	ProblemTicketWrongTime = &gateway.Problem{Type: "ticket-wrong-time", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "现在不是这张门票的入园时段", En: "This ticket is for another time of the day"}}
	ProblemTicketWrongPlace = &gateway.Problem{Type: "ticket-wrong-place", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "这张门票不适用于本景点", En: "This ticket is for another place"}}
	ProblemTicketForged = &gateway.Problem{Type: "ticket-signature-invalid", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "无法验证这张门票", En: "This ticket cannot be verified"}}
	ProblemTicketRefused = &gateway.Problem{Type: "ticket-refused", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "售票方不接受这张门票", En: "The ticket seller does not accept this ticket"}}
	ProblemWithStaff = &gateway.Problem{Type: "with-staff", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "工作人员正在处理这张门票，请稍候", En: "A member of staff is deciding about this ticket; please wait a moment"}}
	ProblemTooFewTickets = &gateway.Problem{Type: "too-few-tickets", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "门票数量少于人数", En: "There are fewer tickets than people"}}
	ProblemSpotFull = &gateway.Problem{Type: "spot-full", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "景点已满，请稍候", En: "The place is full at the moment; please wait a little"}}
	ProblemSpotClosed = &gateway.Problem{Type: "spot-closed", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "景点现在不开放", En: "The place is closed now"}}
	ProblemGateUnknown = &gateway.Problem{Type: "gate-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "本景点没有这个闸机", En: "This place has no such gate"}}
	ProblemScanReused = &gateway.Problem{Type: "scan-reused", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "同一扫描编号不能用于不同的门票", En: "This scan was for another ticket"}}
	ProblemIDNumberInvalid = &gateway.Problem{Type: "id-number-invalid", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "身份证号码有误，请检查", En: "This ID number has a mistake in it; please check it"}}
)

// problems lists them for the catalogue.
func problems() []*gateway.Problem {
	return []*gateway.Problem{
		ProblemTicketUnknown, ProblemTicketUsed, ProblemTicketCancelled, ProblemTicketOnHold, ProblemTicketExpired,
		ProblemTicketWrongDay, ProblemTicketWrongTime, ProblemTicketWrongPlace, ProblemTicketForged, ProblemTicketRefused, ProblemWithStaff, ProblemTooFewTickets,
		ProblemSpotFull, ProblemSpotClosed, ProblemGateUnknown, ProblemScanReused, ProblemIDNumberInvalid,
	}
}

// The words of a refusal by ticketing, as the adapters give them.
const (
	refusedUsed      = "used"
	refusedCancelled = "cancelled"
	refusedOnHold    = "on-hold"
	refusedExpired   = "expired"
	refusedUnknown   = "unknown"
	refusedOther     = "other"
)

// isRefusal reports whether a word is ticketing's own no, and not the engine's of a call that never was.
func isRefusal(reason string) bool {
	return slices.Contains([]string{refusedUsed, refusedCancelled, refusedOnHold, refusedExpired, refusedUnknown, refusedOther}, reason)
}

// problemOf puts ticketing's word into a problem.
func problemOf(reason string) *gateway.Problem {
	switch reason {
	case refusedUsed:
		return ProblemTicketUsed
	case refusedCancelled:
		return ProblemTicketCancelled
	case refusedOnHold:
		return ProblemTicketOnHold
	case refusedExpired:
		return ProblemTicketExpired
	case refusedUnknown:
		return ProblemTicketUnknown
	default:
		return ProblemTicketRefused
	}
}
