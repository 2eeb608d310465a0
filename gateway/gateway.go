// Package gateway holds the words that every room of the engine shares: what can go wrong, who asks, for which venue,
// where an answer comes from, and how money is counted. It imports nothing of the project.
package gateway

import (
	"slices"
	"time"
)

// Text is a sentence for people in the languages that Warmgate speaks.
type Text struct {
	Zh string `yaml:"zh" json:"zh"` // Simplified Chinese (zh-CN)
	En string `yaml:"en" json:"en"` // English
}

// In returns the sentence in lang ("zh-CN" or "en"); English where lang is neither.
func (t Text) In(lang string) string {
	if lang == LangZh && t.Zh != "" {
		return t.Zh
	}
	return t.En
}

// The languages of every sentence that reaches a person.
const (
	LangZh = "zh-CN"
	LangEn = "en"
)

// Money is an amount in the minor unit of its currency: 1250 CNY is ¥12.50. Never a fraction.
type Money struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"` // ISO 4217, three capitals
}

// Principal is who asks, as an access token or another verified credential says it (RFC 9068).
// It is immutable once made and may be shared between goroutines.
type Principal struct {
	Issuer  string
	Subject string
	Tenant  string   // a city's operator; data of one tenant are never shown to another
	Scopes  []string // sorted
	Venues  []string // sorted ids of the venues it may act for; "*" is all venues of its tenant
}

// Has reports whether the principal holds scope.
func (p *Principal) Has(scope string) bool {
	_, ok := slices.BinarySearch(p.Scopes, scope)
	return ok
}

// ActsFor reports whether the principal may act for venue v: same tenant, and named (or all) in its venues.
func (p *Principal) ActsFor(v *Venue) bool {
	if v == nil || p.Tenant != v.Tenant {
		return false
	}
	_, ok := slices.BinarySearch(p.Venues, v.ID)
	return ok || slices.Contains(p.Venues, "*")
}

// Venue is one place of the city that journeys happen at: an attraction, a hotel, a parking lot.
// A value is immutable; a reload makes a new one.
type Venue struct {
	ID       string // lower-case letters, digits and dashes; unique over all kinds
	Kind     string // "attraction", "hotel", "parking-lot": the word of the flows that serve it
	Tenant   string
	Name     Text
	Location *time.Location // the venue's own time zone: days and slots are cut in it
	Settings any            // the section settings, validated by its flow (its policy, gates, products); nil: there is none
	Sections map[string]any // the sections of other flows of its kind, by their names, validated likewise; nil: there are none
}

// SettingsSection is the section of a venue's file that Venue.Settings holds.
const SettingsSection = "settings"

// Section returns the section of the name; nil where the venue has none.
func (v *Venue) Section(name string) any {
	if name == SettingsSection {
		return v.Settings
	}
	return v.Sections[name]
}

// Source says where a part of an answer comes from and how old that knowledge is.
type Source struct {
	System string    `json:"system"`
	AsOf   time.Time `json:"as_of,omitzero"`
	State  State     `json:"state"`
}

// State is how a source was reached.
type State string

// The four states of a source.
const (
	Live    State = "live"    // asked for this answer
	Cached  State = "cached"  // known, and still fresh by policy
	Stale   State = "stale"   // known, past its freshness, said openly
	Missing State = "missing" // could not be had in time
)
