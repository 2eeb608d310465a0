package gateway

// The engine's own problems that belong to no single room. Values are never changed.
var (
	ProblemInternal = &Problem{Type: "internal", Kind: Internal, Retryable: true, Title: Text{
		Zh: "系统出了问题，请联系现场工作人员", En: "Something went wrong on our side; please ask a member of staff"}}
	ProblemVenueUnknown = &Problem{Type: "venue-unknown", Kind: NotFound, Title: Text{
		Zh: "没有这个地点", En: "There is no such place here"}}
	ProblemLedgerUnavailable = &Problem{Type: "ledger-unavailable", Kind: Unavailable, Retryable: true, Title: Text{
		Zh: "系统暂时无法记录，请联系现场工作人员", En: "Nothing can be recorded at the moment; please see a member of staff"}}
	ProblemTimeUp = &Problem{Type: "time-up", Kind: Unavailable, Retryable: true, Title: Text{
		Zh: "未能在约定时间内完成，请联系现场工作人员", En: "This could not be finished in the promised time; please see a member of staff"}}
	ProblemBackendUnavailable = &Problem{Type: "backend-unavailable", Kind: Unavailable, Retryable: true, Title: Text{
		Zh: "相关系统暂时没有响应，请联系现场工作人员", En: "A system that we depend on does not answer; please see a member of staff"}}
)

// Problems lists the problems of this package, for the catalogue.
func Problems() []*Problem {
	return []*Problem{ProblemInternal, ProblemVenueUnknown, ProblemLedgerUnavailable, ProblemTimeUp, ProblemBackendUnavailable}
}
