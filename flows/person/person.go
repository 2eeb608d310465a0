// Package person holds what every journey needs to know about people and their documents: whether a number can be a
// document's, what it says of its holder, and whether two names are one person's. It is pure: it asks nobody, keeps
// nothing, and none of its errors repeats what it was given.
package person

import (
	"errors"
	"time"
)

// Age returns somebody's age in whole years on a day, both written YYYY-MM-DD. Who is born on 29 February is a year older
// on 1 March. It is an error if either is no day of the calendar, or if the person is not born yet.
func Age(born, on string) (int, error) {
	b, err1 := time.Parse(time.DateOnly, born)
	d, err2 := time.Parse(time.DateOnly, on)
	switch {
	case err1 != nil || err2 != nil:
		return 0, errors.New("cannot count an age: want two days written YYYY-MM-DD")
	case d.Before(b):
		return 0, errors.New("cannot count an age: the birth date is in the future")
	}
	age := d.Year() - b.Year()
	if d.Month() < b.Month() || d.Month() == b.Month() && d.Day() < b.Day() {
		age--
	}
	return age, nil
}
