package tariff

import (
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Settings is the section tariff of a parking lot. Amounts are in the minor unit of the lot's currency, times of the day
// are the lot's own, durations are whole seconds. What is left out is the first of the words that a field may have.
type Settings struct {
	// Calendar says of a date (YYYY-MM-DD) which day it counts as: holiday, or mon to sun (a Saturday that is worked as fri).
	Calendar map[string]string `yaml:"calendar"`

	Units   string        `yaml:"units"`   // begun: a unit costs as soon as it begins; whole: only when it is over
	Borders string        `yaml:"borders"` // cut: a unit ends where its period ends; finish: it runs out at its own price
	Restart string        `yaml:"restart"` // the steps begin anew with each stay, period, day or 24h since entry
	Grace   time.Duration `yaml:"grace"`   // who has paid may leave within it without paying more

	Rounding Rounding         `yaml:"rounding"`
	Electric Electric         `yaml:"electric"`
	Vehicles map[string]Rates `yaml:"vehicles"` // car, and what else is let in: large, motorcycle
}

// Rounding is to a multiple of To, once, after caps and discounts; or, at: unit, for each unit, before all of them.
type Rounding struct {
	To  int64  `yaml:"to"`  // minor units; 0 is 1
	Way string `yaml:"way"` // nearest (half goes up), up, down
	At  string `yaml:"at"`  // end, unit
}

// Electric is what purely electric vehicles are given.
type Electric struct {
	Free       time.Duration `yaml:"free"`        // at the start; the longer of it and of the free minutes of all
	PercentOff int64         `yaml:"percent_off"` // of what is left after the caps, 0 to 100
}

// Rates are the prices of one kind of vehicle.
type Rates struct {
	Free    Free     `yaml:"free"`
	Periods []Period `yaml:"periods"` // every moment of every kind of day is in exactly one
	Caps    Caps     `yaml:"caps"`
}

// Free is a time at the start of a stay that costs nothing.
type Free struct {
	For    time.Duration `yaml:"for"`
	Longer string        `yaml:"longer"` // in a longer stay it is kept (free all the same), or forfeited (charged from the start)
}

// Caps are the most that a stay costs within a time; 0: no limit. A unit is within the time in which it is charged.
type Caps struct {
	Day     int64 `yaml:"day"`  // of the calendar, in the lot's time zone
	Hours24 int64 `yaml:"24h"`  // each 24 hours since entry
	Stay    int64 `yaml:"stay"` // the whole stay
}

// Period is a part of the week with its own prices, such as the night.
type Period struct {
	Name  gateway.Text `yaml:"name"`
	At    []Hours      `yaml:"at"`    // left out: always
	Steps []Step       `yaml:"steps"` // left out: it costs nothing
	Cap   int64        `yaml:"cap"`   // the most from its begin to its end, over midnight too where it goes on; 0: no limit
}

// Hours is a part of some days, from a minute (included) to another (not included), "00:00" to "24:00".
type Hours struct {
	Days []string `yaml:"days"` // mon to sun, holiday, weekdays (mon to fri), weekend (sat, sun); left out: all of them
	From string   `yaml:"from"` // left out: 00:00
	To   string   `yaml:"to"`   // left out: 24:00
}

// Step is a stretch of a stay that is charged unit by unit.
type Step struct {
	For   time.Duration `yaml:"for"`   // how long the step lasts, whole units; the last one has no end
	Each  time.Duration `yaml:"each"`  // one unit
	Price int64         `yaml:"price"` // for Per
	Per   time.Duration `yaml:"per"`   // left out: Each
}

// The words of the settings.
const (
	unitsBegun    = "begun"
	unitsWhole    = "whole"
	bordersCut    = "cut"
	bordersFinish = "finish"
	restartStay   = "stay"
	restartPeriod = "period"
	restartDay    = "day"
	restart24h    = "24h"
	freeKept      = "kept"
	freeForfeited = "forfeited"
	wayNearest    = "nearest"
	wayUp         = "up"
	wayDown       = "down"
	roundEnd      = "end"
	roundUnit     = "unit"
)

const (
	holiday  = 7 // the eighth kind of day, after sun 0 to sat 6 (time.Weekday)
	kinds    = 8
	dayWords = "sun mon tue wed thu fri sat holiday"

	day        = 24 * 60 * 60 // seconds
	maxMinor   = 1<<53 - 1    // what a double holds exactly: any client can read it
	maxGrace   = 24 * time.Hour
	maxFree    = 31 * 24 * time.Hour
	maxUnit    = 31 * 24 * time.Hour
	maxPeriods = 50
	maxSteps   = 20
	maxParts   = 10_000_000 // of one minor unit, in which fractions of it are counted
	maxTo      = 1_000_000
)
