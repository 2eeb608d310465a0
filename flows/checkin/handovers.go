package checkin

import (
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
)

// Who takes over before anything is done, and how.
var (
	handRequested = before("requested", "客人需要协助，请到自助机前", "A guest asks for somebody: go to the kiosk")
	handExpired   = before("document-expired", "证件已过期，请查验其他证件或协助办理临时证明",
		"The document is past its date: look at another one, or help with a temporary certificate")
	handMinor = before("minor", "客人未满 18 周岁，请核实监护人及同住人关系",
		"A guest is under 18: ask about those who care for them and whom they stay with")
	handForeign = before("foreign-passport", "外国护照，请查验护照、签证及入境章",
		"A foreign passport: look at passport, visa and entry stamp")
	handMismatch = before("identity-mismatch", "人证比对未通过，请人工核对证件与本人",
		"The face does not match the document: compare guest and document by eye")
	handIdentityDown = before("identity-unreachable", "身份核验系统暂无回应，请人工核对证件与本人",
		"The identity service does not answer: compare guest and document by eye")
	handName = before("name-mismatch", "预订姓名与证件不一致，请核对预订",
		"The name on the booking is not quite that of the document: look at both")
	handNoBooking = before("no-booking", "按证件未找到今日预订，请查询或办理散客入住",
		"There is no booking for this document today: look for it, or sell a room")
	handNoShow = before("no-show", "预订已转为未到店，请先恢复预订",
		"The booking counts as a no-show: revive it first, then let the guest go on")
	handBookingUnclear = before("booking-unclear", "预订状态无法自助办理，请查看预订",
		"The booking is in a state that a kiosk cannot check in: look at it")
	handExtraGuest = before("extra-guest", "入住人数超过预订人数，请核对房型和加床",
		"There are more guests than the booking is for: see whether the room will do")
	handCompanion = before("companion", "该预订已入住，有新的同住人，请登记并发放房卡",
		"The booking is in house and somebody joins: register them and give them a key")
	handRoomNotReady = before("room-not-ready", "该房型暂无干净客房，请告知客人等候时间并保管行李",
		"No room of this kind is clean yet: tell the guest when, and take the luggage; they come first when one is")
	handNoRoom = before("no-room", "可用客房均已占用，请人工安排客房",
		"Every room that would do is taken: give one by hand")
	handHotelDown = before("hotel-unreachable", "酒店系统暂无回应，请人工办理入住",
		"The hotel's system does not answer: check the guest in by hand")
	handRoomRefused = before("room-refused", "酒店系统拒绝分房，请查看预订",
		"The hotel's system refuses the booking a room: look at it")
	handCheckInRefused = before("check-in-refused", "酒店系统拒绝入住，请查看预订（如押金、担保）",
		"The hotel's system refuses the check-in: look at the booking (a deposit, a guarantee)")
)

// Who takes over what has been done in part.
var (
	handUnclear = held("check-in-unclear", "客房已分配，但不确定是否已入住，请在酒店系统中核对后完成或取消",
		"The room is assigned; it is not known whether the guest is in house: look, then finish it or call it off")
	handInterrupted = held("check-in-interrupted", "客人已入住，但办理中断，请发放房卡，其余由系统补办",
		"The guest is in house and the rest was interrupted: give them a key; registration is then sent by the system")
	handKey                 = held("key", "客人已入住，但房卡未制作，请制卡", "The guest is in house without a key: cut one")
	handRegistrationRefused = held("registration-refused", "公安登记需人工核对，请查看证件与本人后再次登记",
		"The police want a person to look: see guest and document, then have the registration sent again")
	handRegistrationLate = held("registration-late", "公安登记逾期未完成，请人工登记或重新发送",
		"A registration with the police is overdue: register by hand, or have it sent again")
)

// Who takes over at a check-out.
var (
	handLeaveRefused     = before("check-out-refused", "酒店系统拒绝退房，请查看账单", "The hotel's system refuses the check-out: look at the bill")
	handLeaveInterrupted = held("check-out-interrupted", "客人已退房，但办理中断，请确认后由系统补办",
		"The guest is checked out and the rest was interrupted: have it finished")
	handLeaveUnclear = held("check-out-unclear", "不确定是否已退房，请在酒店系统中核对后完成或取消",
		"It is not known whether the guest is checked out: look, then finish it or call it off")
	handKeyOffLate    = held("key-off-late", "退房后房卡未能注销，请人工注销", "The keys of a stay that is over could not be switched off: do it by hand")
	handDepartureLate = held("departure-late", "公安离店登记未完成，请人工办理或重新发送",
		"The police could not be told that a guest has left: tell them by hand, or have it sent again")
)

func before(kind, zh, en string) journey.Handover {
	return journey.Handover{Kind: kind, Next: gateway.Text{Zh: zh, En: en}}
}

func held(kind, zh, en string) journey.Handover {
	h := before(kind, zh, en)
	h.Hold = true
	return h
}
