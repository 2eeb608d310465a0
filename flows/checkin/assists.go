package checkin

import (
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
)

// The ways in which staff settle an assist of this journey.
var (
	sayContinue  = gateway.Text{Zh: "已处理，请客人在自助机继续", En: "Settled: the guest goes on at the kiosk"}
	saySeen      = gateway.Text{Zh: "已人工核对本人与证件，请客人在自助机继续", En: "Identity checked by eye: the guest goes on at the kiosk"}
	sayNameSame  = gateway.Text{Zh: "已核对姓名为同一人，请客人在自助机继续", En: "The name is theirs: the guest goes on at the kiosk"}
	sayMoreOK    = gateway.Text{Zh: "同意加人，请客人在自助机继续", En: "The room will do for them: the guest goes on at the kiosk"}
	sayByHand    = gateway.Text{Zh: "已人工办理入住并发放房卡，登记由系统上报", En: "Checked in by hand, with a key: the system sends the registration"}
	sayAddGuest  = gateway.Text{Zh: "已为同住人发放房卡，登记由系统上报", En: "They have a key: the system sends their registration"}
	sayGone      = gateway.Text{Zh: "客人已离开或改由他处办理", En: "The guest has left, or is seen to elsewhere"}
	sayKeyCut    = gateway.Text{Zh: "房卡已人工制作", En: "Key cut by hand"}
	sayKeyAgain  = gateway.Text{Zh: "由自助机重新制卡", En: "Have the kiosk cut the key again"}
	sayFinish    = gateway.Text{Zh: "已入住，由系统完成其余步骤", En: "The guest is in house: have the rest finished"}
	sayCallOff   = gateway.Text{Zh: "取消办理，恢复原状", En: "Call it off and take back what was done"}
	sayRegSeen   = gateway.Text{Zh: "已人工核对，由系统重新登记", En: "Seen by eye: have the registration sent again"}
	sayRegByHand = gateway.Text{Zh: "已人工登记", En: "Registered by hand"}
	saySendAgain = gateway.Text{Zh: "由系统重新发送", En: "Have it sent again"}
	sayDone      = gateway.Text{Zh: "已处理", En: "Settled"}
	sayLeft      = gateway.Text{Zh: "已退房，由系统完成其余步骤", En: "The guest is checked out: have the rest finished"}
	sayStays     = gateway.Text{Zh: "未退房，恢复原状", En: "The guest is not checked out: as before"}
)

// What a person's decision means for the kiosk.
const (
	decideContinue   = "continue"
	decideCheckedIn  = "checked-in"
	decideCheckedOut = "checked-out"
	decideClosed     = "closed"
)

// vouchFor is how long what staff have settled about a guest is believed.
const vouchFor = 30 * time.Minute

// The kinds of assist before anything is done.
func kindsBefore() []journey.Handover {
	return []journey.Handover{handRequested, handExpired, handMinor, handForeign, handMismatch, handIdentityDown, handName, handNoBooking,
		handNoShow, handBookingUnclear, handExtraGuest, handRoomNotReady, handNoRoom, handHotelDown, handRoomRefused, handCheckInRefused}
}

func assists() []flow.Assist {
	var all []flow.Assist
	for _, h := range kindsBefore() {
		goOn := flow.Resolution{Word: "continue", Name: sayContinue, Decision: decideContinue}
		switch {
		case h.Kind == handName.Kind:
			goOn = flow.Resolution{Word: "name-checked", Name: sayNameSame, Decision: decideContinue, Run: vouch}
		case h.Kind == handExtraGuest.Kind:
			goOn = flow.Resolution{Word: "room-will-do", Name: sayMoreOK, Decision: decideContinue, Run: vouch}
		case slices.Contains(seenKinds(), h.Kind):
			goOn = flow.Resolution{Word: "identity-checked", Name: saySeen, Decision: decideContinue, Run: vouch}
		}
		all = append(all, flow.Assist{Kind: h.Kind, Resolutions: []flow.Resolution{
			goOn, {Word: "checked-in", Name: sayByHand, Decision: decideCheckedIn, Run: checkedInByHand},
			{Word: "gone", Name: sayGone, Decision: decideClosed},
		}})
	}
	return append(all, []flow.Assist{
		{Kind: handCompanion.Kind, Resolutions: []flow.Resolution{
			{Word: "guest-added", Name: sayAddGuest, Decision: decideCheckedIn, Run: addGuests}, {Word: "gone", Name: sayGone, Decision: decideClosed},
		}},
		{Kind: handUnclear.Kind, Resolutions: []flow.Resolution{
			{Word: "finish", Name: sayFinish, Decision: decideCheckedIn, Run: finishCheckIn},
			{Word: "call-off", Name: sayCallOff, Decision: decideClosed, Run: callOff},
		}},
		{Kind: handInterrupted.Kind, Resolutions: []flow.Resolution{
			{Word: "finish", Name: sayFinish, Decision: decideCheckedIn, Run: finishCheckIn},
		}},
		{Kind: handKey.Kind, Resolutions: []flow.Resolution{
			{Word: "key-cut", Name: sayKeyCut, Decision: decideCheckedIn, Run: keyCut},
			{Word: "key-again", Name: sayKeyAgain, Decision: decideCheckedIn, Run: keyAgain},
		}},
		{Kind: handRegistrationRefused.Kind, Resolutions: []flow.Resolution{
			{Word: "seen", Name: sayRegSeen, Decision: decideCheckedIn, Run: registerSeen},
			{Word: "registered", Name: sayRegByHand, Decision: decideCheckedIn, Run: settledByHand(stepRegister)},
		}},
		{Kind: handRegistrationLate.Kind, Resolutions: []flow.Resolution{
			{Word: "registered", Name: sayRegByHand, Run: settledByHand(stepRegister)}, {Word: "send-again", Name: saySendAgain, Run: sendAgain(stepRegister)},
			{Word: "seen", Name: sayRegSeen, Run: registerSeen},
		}},
		{Kind: handLeaveRefused.Kind, Resolutions: []flow.Resolution{
			{Word: "continue", Name: sayContinue, Decision: decideContinue}, {Word: "gone", Name: sayGone, Decision: decideClosed},
		}},
		{Kind: handLeaveUnclear.Kind, Resolutions: []flow.Resolution{
			{Word: "finish", Name: sayLeft, Decision: decideCheckedOut, Run: finishCheckOut},
			{Word: "call-off", Name: sayStays, Decision: decideClosed, Run: stayAfterAll},
		}},
		{Kind: handLeaveInterrupted.Kind, Resolutions: []flow.Resolution{
			{Word: "finish", Name: sayLeft, Decision: decideCheckedOut, Run: finishCheckOut},
		}},
		{Kind: handKeyOffLate.Kind, Resolutions: []flow.Resolution{
			{Word: "settled", Name: sayDone, Run: settledByHand(stepKeyOff)}, {Word: "send-again", Name: saySendAgain, Run: sendAgain(stepKeyOff)},
		}},
		{Kind: handDepartureLate.Kind, Resolutions: []flow.Resolution{
			{Word: "settled", Name: sayDone, Run: settledByHand(stepDepartures)}, {Word: "send-again", Name: saySendAgain, Run: sendAgain(stepDepartures)},
		}},
	}...)
}
