package tariff

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// span is a part of a day, in seconds since midnight by the clock on the wall.
type span struct {
	from, to int64
	period   int
}

// kindOf returns the kind of day that a word means, or -1.
func kindOf(word string) int { return slices.Index(strings.Fields(dayWords), word) }

// kindsOf returns the kinds of day that a word of Hours means.
func kindsOf(word string) []int {
	switch word {
	case "weekdays":
		return []int{1, 2, 3, 4, 5}
	case "weekend":
		return []int{6, 0}
	}
	if k := kindOf(word); k >= 0 {
		return []int{k}
	}
	return nil
}

// kinds returns the kinds of day of h, each once.
func (h Hours) kinds() []int {
	if len(h.Days) == 0 {
		return []int{0, 1, 2, 3, 4, 5, 6, holiday}
	}
	var all []int
	for _, word := range h.Days {
		all = append(all, kindsOf(word)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// seconds returns when h begins and ends; -1: it cannot be read.
func (h Hours) seconds() (from, to int64) {
	from, to = 0, day
	if h.From != "" {
		from = secondsOf(h.From)
	}
	if h.To != "" {
		to = secondsOf(h.To)
	}
	return from, to
}

// secondsOf reads HH:MM, 00:00 to 24:00; -1: it is something else.
func secondsOf(hhmm string) int64 {
	if hhmm == "24:00" {
		return day
	}
	at, err := time.Parse("15:04", hhmm)
	if err != nil || len(hhmm) != len("15:04") {
		return -1
	}
	return int64(at.Hour()*3600 + at.Minute()*60)
}

// clockOf writes seconds since midnight as HH:MM.
func clockOf(s int64) string { return fmt.Sprintf("%02d:%02d", s/3600, s/60%60) }

// hours returns when p is.
func (p *Period) hours() []Hours {
	if len(p.At) == 0 {
		return []Hours{{}}
	}
	return p.At
}

// clock reads the lot's clock on the wall. It remembers until when the zone's offset holds.
type clock struct {
	zone     *time.Location
	offset   int64
	from, to int64 // Unix seconds within which offset holds
}

// at returns the local day (days since 1 January 1970), the seconds since midnight on the wall, and when the offset of
// the zone changes next. The wall alone decides: an hour that comes twice is twice in the same period, one that is left
// out is in none.
func (c *clock) at(t int64) (date, second, change int64) {
	if t < c.from || t >= c.to {
		here := time.Unix(t, 0).In(c.zone)
		_, offset := here.Zone()
		start, end := here.ZoneBounds()
		c.offset, c.from, c.to = int64(offset), minTime, maxTime
		if !start.IsZero() {
			c.from = start.Unix()
		}
		if !end.IsZero() {
			c.to = end.Unix()
		}
	}
	local := t + c.offset
	date = local / day
	return date, local - date*day, c.to
}

// weekday returns the kind of a day that the calendar says nothing of.
func weekday(date int64) int { return int((date + 4) % 7) } // 1 January 1970 was a Thursday
