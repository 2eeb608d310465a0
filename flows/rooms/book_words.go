package rooms

import (
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
)

// The refusals of a booking, each with the sentence that the citizen reads.
var (
	ProblemRoomGone = &gateway.Problem{Type: "room-gone", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这种客房刚刚订完，请看看附近的其他选择", En: "This room has just been taken; please look at the others nearby"}}
	ProblemPriceChanged = &gateway.Problem{Type: "room-price-changed", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "价格已变动，请确认新价格", En: "The price has changed; please agree to the new one"}}
	ProblemBookedAlready = &gateway.Problem{Type: "room-booked-already", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "您已预订了同样的客房", En: "You have booked the same room already"}}
	ProblemBookingRefused = &gateway.Problem{Type: "room-booking-refused", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "酒店未接受此预订，请选择其他客房", En: "The hotel does not accept this booking; please choose another room"}}
	ProblemBookedUnknown = &gateway.Problem{Type: "room-booking-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有找到您的这个预订", En: "We cannot find this booking of yours"}}
	ProblemTooLateToCancel = &gateway.Problem{Type: "room-cancel-too-late", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "已超过免费取消时间，请联系酒店", En: "The time for cancelling it without charge is over; please ask the hotel"}}
	ProblemCancelRefused = &gateway.Problem{Type: "room-cancel-refused", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "酒店未接受取消，请联系酒店", En: "The hotel does not accept the cancellation; please ask the hotel"}}
	ProblemNotBookable = &gateway.Problem{Type: "room-not-bookable", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这家酒店暂不支持在此预订，请直接联系酒店，或选择附近其他酒店", En: "This hotel cannot be booked here; please ask the hotel itself, or take another one nearby"}}
	ProblemStayBegun = &gateway.Problem{Type: "room-stay-begun", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "客人已入住，不能取消", En: "The guest has checked in; it cannot be cancelled any more"}}
)

func bookingProblems() []*gateway.Problem {
	return []*gateway.Problem{ProblemRoomGone, ProblemPriceChanged, ProblemBookedAlready, ProblemBookingRefused, ProblemBookedUnknown,
		ProblemTooLateToCancel, ProblemCancelRefused, ProblemStayBegun, ProblemNotBookable}
}

// How people take over.
var (
	handUnclear = journey.Handover{Kind: "room-booking-unclear", Hold: true, Next: gateway.Text{
		Zh: "酒店系统没有回应，仍在查询：若已订上，预订归客人所有，此事自动办结。请联系客人；若客人改订或放弃，请办结此事，酒店可能已有的预订会随之取消",
		En: "The hotel's system did not answer and goes on being asked: what it has booked is the guest's, and this settles itself. Ask the guest; where they book anew or give it up, settle this, and what the hotel may have is taken back"}}
	handInterrupted = journey.Handover{Kind: "room-booking-interrupted", Hold: true, Next: gateway.Text{
		Zh: "预订过程中断，请与酒店核对", En: "The booking was interrupted; please look at it with the hotel"}}
	handCancelLate = journey.Handover{Kind: "room-cancel-late", Next: gateway.Text{
		Zh: "客人已取消预订，酒店系统还不知道，请通知酒店", En: "The guest has cancelled, and the hotel's system does not know it; please tell the hotel"}}
	handCancelInterrupted = journey.Handover{Kind: "room-cancel-interrupted", Hold: true, Next: gateway.Text{
		Zh: "取消过程中断，请与酒店核对", En: "The cancellation was interrupted; please look at it with the hotel"}}
)

// bookingAssists are the ways in which staff settle what a booking has left to them.
func bookingAssists() []flow.Assist {
	again := flow.Resolution{Word: wordAgain, Name: gateway.Text{Zh: "已联系客人，可重新预订", En: "The guest knows, and may book again"}, Decision: "continue", Run: giveUp}
	closed := flow.Resolution{Word: "gone", Name: gateway.Text{Zh: "客人不再需要", En: "The guest does not want it any more"}, Decision: "closed", Run: giveUp}
	kept := flow.Resolution{Word: wordBooked, Name: gateway.Text{Zh: "酒店已订上，归客人所有", En: "The hotel has it, and the guest keeps it"}, Decision: "booked", Run: isBooked}
	settled := flow.Resolution{Word: "settled", Name: gateway.Text{Zh: "已与酒店核对", En: "Settled with the hotel"}, Decision: "closed"}
	told := flow.Resolution{Word: "settled", Name: gateway.Text{Zh: "已通知酒店", En: "The hotel knows"}, Decision: "cancelled", Run: settledByHand(stepCancel)}
	return []flow.Assist{
		{Kind: handUnclear.Kind, Resolutions: []flow.Resolution{again, closed, kept}},
		{Kind: handInterrupted.Kind, Resolutions: []flow.Resolution{settled}},
		{Kind: handCancelLate.Kind, Resolutions: []flow.Resolution{told}},
		{Kind: handCancelInterrupted.Kind, Resolutions: []flow.Resolution{settled}},
	}
}

// bookingSteps are the effects of the plans, as staff read them.
func bookingSteps() map[string]gateway.Text {
	return map[string]gateway.Text{
		stepHold:    {Zh: "记下预订意向", En: "Note what is to be booked"},
		stepBook:    {Zh: "在酒店系统预订", En: "Book at the hotel's system"},
		stepKeep:    {Zh: "记下确认号", En: "Keep the confirmation number"},
		stepCallOff: {Zh: "开始取消", En: "Begin the cancellation"},
		stepCancel:  {Zh: "在酒店系统取消", En: "Cancel at the hotel's system"},
		stepEnd:     {Zh: "记为已取消", En: "Note it as cancelled"},
	}
}

// bookingPurposes are what hotels are told of a citizen for.
func bookingPurposes() map[string]gateway.Text {
	return map[string]gateway.Text{"book the room": {Zh: "预订客房", En: "Book the room"}}
}
