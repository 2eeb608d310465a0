package rooms

import (
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
)

// CancelRule is until when a booking can be called off without charge: the hotel's rule at the time of booking holds.
type CancelRule struct {
	FreeUntil  time.Duration `yaml:"free_until"`  // after midnight at the hotel, 0 to 24 h
	DaysBefore int           `yaml:"days_before"` // of the day that many days before the arrival, 0 to 60
}

// usualCancelRule is until six in the evening of the day of arrival.
func usualCancelRule() CancelRule { return CancelRule{FreeUntil: 18 * time.Hour} }

// check reports every mistake in the rule.
func (r *CancelRule) check(wrong *flow.Mistakes) {
	wrong.Refuse(r.FreeUntil < 0 || r.FreeUntil > 24*time.Hour, "cancel.free_until", "must be 0s to 24h, is %s", r.FreeUntil)
	wrong.Refuse(r.DaysBefore < 0 || r.DaysBefore > 60, "cancel.days_before", "must be 0 to 60, is %d", r.DaysBefore)
}

// until is the moment for a day of arrival.
func (r *CancelRule) until(arrival offer.Date, at *time.Location) time.Time {
	d := arrival - offer.Date(r.DaysBefore) // bounded by check
	day := d.Time()
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, at).Add(r.FreeUntil)
}

// freeUntilWords is the rule in words.
func freeUntilWords(until time.Time) gateway.Text {
	return gateway.Text{Zh: until.Format("2006年1月2日 15:04") + " 前可免费取消", En: "It can be cancelled without charge until " + until.Format("15:04 on 2 January 2006") + "."}
}
