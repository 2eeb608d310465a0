package checkin

import "github.com/warmgate/warmgate/gateway"

// The refusals at a kiosk, each with the sentence that the guest reads on it.
var (
	ProblemBookingUnknown = &gateway.Problem{Type: "booking-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有找到这个预订，请核对确认号和证件", En: "We cannot find this booking; please check the number and the document"}}
	ProblemBookingAmbiguous = &gateway.Problem{Type: "booking-ambiguous", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "您今天有多个预订，请输入确认号", En: "You have several bookings for today; please type in the confirmation number"}}
	ProblemBookingCancelled = &gateway.Problem{Type: "booking-cancelled", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这个预订已取消", En: "This booking was cancelled"}}
	ProblemWrongDay = &gateway.Problem{Type: "booking-wrong-day", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "这个预订不是今天的", En: "This booking is for another day"}}
	ProblemBookingPast = &gateway.Problem{Type: "booking-past", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "这个预订的日期已过", En: "The days of this booking are over"}}
	ProblemWrongHotel = &gateway.Problem{Type: "booking-wrong-hotel", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "这个预订属于另一家酒店", En: "This booking is for another hotel"}}
	ProblemAlreadyIn = &gateway.Problem{Type: "already-checked-in", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这个预订已在前台办理入住", En: "This booking was checked in at the front desk"}}
	ProblemStayOver = &gateway.Problem{Type: "stay-over", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这次住宿已经结束", En: "This stay is over"}}
	ProblemStayUnknown = &gateway.Problem{Type: "stay-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有找到您的住宿，请到前台办理", En: "We cannot find your stay; please go to the front desk"}}
	ProblemStayAmbiguous = &gateway.Problem{Type: "stay-ambiguous", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "您住有多间客房，请输入房号", En: "You have several rooms; please type in the room number"}}
	ProblemWithFrontDesk = &gateway.Problem{Type: "with-front-desk", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "工作人员正在为您办理，请稍候", En: "A member of staff is seeing to your stay; please wait a moment"}}
	ProblemKioskUnknown = &gateway.Problem{Type: "kiosk-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "本酒店没有这台自助机", En: "This hotel has no such kiosk"}}
	ProblemDocumentInvalid = &gateway.Problem{Type: "document-invalid", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "证件信息有误，请重新读取", En: "There is a mistake in the document's data; please let it be read again"}}
	ProblemFaceUnreadable = &gateway.Problem{Type: "face-unreadable", Kind: gateway.Unprocessable, Retryable: true, Title: gateway.Text{
		Zh: "照片无法识别", En: "The picture cannot be recognised"}}
	ProblemRoomTaken = &gateway.Problem{Type: "room-taken", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这间客房已分配给其他客人", En: "This room is another guest's"}}
)

// problems lists them for the catalogue.
func problems() []*gateway.Problem {
	return []*gateway.Problem{
		ProblemBookingUnknown, ProblemBookingAmbiguous, ProblemBookingCancelled, ProblemWrongDay, ProblemBookingPast, ProblemWrongHotel,
		ProblemAlreadyIn, ProblemStayOver, ProblemStayUnknown, ProblemStayAmbiguous, ProblemWithFrontDesk, ProblemKioskUnknown,
		ProblemDocumentInvalid, ProblemFaceUnreadable, ProblemRoomTaken,
	}
}
