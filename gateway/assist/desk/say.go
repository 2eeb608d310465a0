package desk

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
)

// shortID is how much of an id is printed: its end, which is random, where its beginning is the time.
const shortID = 8

var (
	sayID       = gateway.Text{Zh: "编号", En: "ID"}
	saySince    = gateway.Text{Zh: "已等", En: "WAITS"}
	sayState    = gateway.Text{Zh: "状态", En: "STATE"}
	sayBy       = gateway.Text{Zh: "处理人", En: "BY"}
	sayVenue    = gateway.Text{Zh: "地点", En: "VENUE"}
	sayKind     = gateway.Text{Zh: "类型", En: "KIND"}
	sayNobody   = gateway.Text{Zh: "没有等待处理的求助。", En: "Nobody waits for help."}
	sayDone     = gateway.Text{Zh: "已办", En: "done"}
	sayNotDone  = gateway.Text{Zh: "未办", En: "not done"}
	sayLater    = gateway.Text{Zh: "（系统仍在办理）", En: " (the system is still at it)"}
	sayTried    = gateway.Text{Zh: "试过", En: "tried"}
	sayNext     = gateway.Text{Zh: "下一步", En: "next"}
	saySettle   = gateway.Text{Zh: "处理方式", En: "settle as"}
	sayJourney  = gateway.Text{Zh: "办理", En: "journey"}
	sayOpened   = gateway.Text{Zh: "提出", En: "opened"}
	sayReleased = gateway.Text{Zh: "交回", En: "handed back"}
	sayClaimed  = gateway.Text{Zh: "认领", En: "claimed"}
	sayResolved = gateway.Text{Zh: "处理", En: "resolved"}
	sayFacts    = gateway.Text{Zh: "详情", En: "facts"}
	sayResult   = gateway.Text{Zh: "结果", En: "result"}
	sayClaimIt  = gateway.Text{Zh: "认领后可见", En: "claim it to see them"}
	sayNone     = gateway.Text{Zh: "无", En: "nothing"}
	sayReset    = gateway.Text{Zh: "以下为最新的全部求助：", En: "Everything that is unresolved, anew:"}
)

// states and changes in words.
var stateWords = map[string]gateway.Text{
	"open": {Zh: "待处理", En: "open"}, "claimed": {Zh: "处理中", En: "claimed"}, "resolved": {Zh: "已处理", En: "resolved"},
	"opened": {Zh: "新求助", En: "opened"}, "released": {Zh: "已交回", En: "released"},
}

// Printer prints for people, in one language.
type Printer struct {
	w    io.Writer
	lang string
	now  func() time.Time
}

// NewPrinter returns a printer in lang (zh-CN or en) to w.
func NewPrinter(w io.Writer, lang string, now func() time.Time) *Printer {
	return &Printer{w: w, lang: lang, now: now}
}

// The columns of a list; with two spaces between, they are as wide as Columns allows.
const (
	colSince = 6
	colState = 8
	colBy    = 10
	colVenue = 20
)

func (p *Printer) row(id, since, state, by, venue, kind string) {
	left := strings.Join([]string{pad(id, shortID), pad(since, colSince), pad(state, colState), pad(by, colBy), pad(venue, colVenue)}, "  ")
	fmt.Fprintln(p.w, strings.TrimRight(left+"  "+fit(kind, Columns-width(left)-2), " "))
}

// List prints assists as a table: two lines each, the second is what to do next.
func (p *Printer) List(all []Assist) {
	if len(all) == 0 {
		fmt.Fprintln(p.w, sayNobody.In(p.lang))
		return
	}
	p.Head()
	for i := range all {
		p.Line(all[i].State, &all[i])
	}
}

// Head prints the names of the columns.
func (p *Printer) Head() {
	p.row(sayID.In(p.lang), saySince.In(p.lang), sayState.In(p.lang), sayBy.In(p.lang), sayVenue.In(p.lang), sayKind.In(p.lang))
}

// Line prints one assist of a list; how is its state, or what has just happened to it.
func (p *Printer) Line(how string, a *Assist) {
	by, _, _ := strings.Cut(cmp.Or(a.ResolvedBy, a.ClaimedBy), "@")
	word := how
	if said, ok := stateWords[how]; ok {
		word = said.In(p.lang)
	}
	p.row(end(a.ID), p.since(a), word, by, where(a), a.Kind)
	for _, line := range wrap(a.NextAction, Columns-shortID-2) {
		fmt.Fprintln(p.w, strings.Repeat(" ", shortID+2)+line)
	}
}

// Event prints one event of a stream.
func (p *Printer) Event(e *Event) {
	if e.Name == "reset" {
		fmt.Fprintln(p.w, sayReset.In(p.lang))
		return
	}
	p.Line(e.Name, &e.Assist)
}

func where(a *Assist) string { return strings.TrimSpace(a.Venue + " " + a.Place) }

func end(id string) string { return id[max(0, len(id)-shortID):] }

// since is for how long an assist has waited, or did until it was resolved.
func (p *Printer) since(a *Assist) string {
	until := p.now()
	if !a.ResolvedAt.IsZero() {
		until = a.ResolvedAt
	}
	d := max(0, until.Sub(a.OpenedAt))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// Show prints an assist whole.
func (p *Printer) Show(a *Assist) {
	p.field(sayID, a.ID)
	p.field(sayState, stateWords[a.State].In(p.lang))
	p.field(sayVenue, where(a))
	p.field(sayKind, a.Kind)
	p.field(sayJourney, a.Journey)
	p.field(sayOpened, stamp(a.OpenedAt, ""))
	p.field(sayReleased, stamp(a.ReleasedAt, ""))
	p.field(sayClaimed, stamp(a.ClaimedAt, a.ClaimedBy))
	p.field(sayResolved, stamp(a.ResolvedAt, a.ResolvedBy))
	p.words(sayDone, p.steps(a.Done))
	p.words(sayNotDone, p.steps(a.NotDone))
	p.words(sayTried, a.Tried)
	p.field(sayNext, a.NextAction)
	for i, r := range a.Resolutions {
		name := saySettle
		if i > 0 {
			name = gateway.Text{Zh: " ", En: " "}
		}
		p.field(name, r.Word+"  "+r.Name)
	}
	p.field(saySettle, a.Resolution)
	switch {
	case len(a.Facts) > 0:
		p.json(sayFacts, a.Facts)
	case a.State == "open":
		p.field(sayFacts, sayClaimIt.In(p.lang))
	}
	if len(a.Result) > 0 {
		p.json(sayResult, a.Result)
	}
}

const nameColumns = 13

// field prints a name and a value; nothing where there is none.
func (p *Printer) field(name gateway.Text, value string) {
	if value == "" {
		return
	}
	label := name.In(p.lang)
	for _, line := range wrap(value, Columns-nameColumns) {
		fmt.Fprintln(p.w, pad(label, nameColumns)+line)
		label = ""
	}
}

func (p *Printer) steps(list []Step) (words []string) {
	for _, s := range list {
		if s.Later {
			s.Name += sayLater.In(p.lang)
		}
		words = append(words, s.Name)
	}
	return words
}

func (p *Printer) words(name gateway.Text, list []string) {
	if len(list) == 0 {
		list = []string{sayNone.In(p.lang)}
	}
	for i, word := range list {
		if i > 0 {
			name = gateway.Text{Zh: " ", En: " "}
		}
		p.field(name, word)
	}
}

// json prints a value with its names and nothing else to read: braces and quotes stay, so that it can be copied.
func (p *Printer) json(name gateway.Text, v jsontext.Value) {
	text := v.Clone()
	if err := text.Indent(jsontext.WithIndent("  ")); err != nil {
		text = v
	}
	fmt.Fprintln(p.w, name.In(p.lang))
	for line := range strings.SplitSeq(string(text), "\n") {
		fmt.Fprintln(p.w, "  "+plain(line))
	}
}

// stamp is a time as the venue's people read it, and who.
func stamp(t time.Time, by string) string {
	if t.IsZero() {
		return ""
	}
	return strings.TrimSpace(t.Format("2006-01-02 15:04:05 -07:00") + "  " + by)
}

// JSON prints a value in one line, for scripts.
func JSON(w io.Writer, v any) error {
	if err := json.MarshalWrite(w, v, json.Deterministic(true)); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	_, err := fmt.Fprintln(w)
	return err
}
