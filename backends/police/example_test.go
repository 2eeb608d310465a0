package police_test

import (
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/identity/interfacetest"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin/twintest"
)

const document = "../../docs/interfaces.md"

// TestTheDocumentIsTrue: every example in it is an exchange that takes place here, and every word of the interface is in it.
func TestTheDocumentIsTrue(t *testing.T) {
	bureau := newTwin(t, 7)
	record := interfacetest.Record(t, bureau)
	c, err := police.New(police.Config{BaseURL: record.URL, APIKey: testKey, Hotel: "lakeside"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := twintest.Within(t, 10*time.Second)
	const k = "0197a3c4-7f1e-7c60-9a51-5d0c4f2b8e11.register.0"
	full := stay()
	full.ArrivedAt, full.ExpectedDeparture = evening, "2026-05-04"
	for _, step := range []struct {
		name string
		do   func() (*police.Registration, error)
		code string
	}{
		{"police register", func() (*police.Registration, error) { return c.Register(ctx, k, full) }, ""},
		{"police find", func() (*police.Registration, error) { return c.Find(ctx, k) }, ""},
		{"police correct", func() (*police.Registration, error) { return c.Correct(ctx, k, 1, police.Correction{Room: "1210"}) }, ""},
		{"police depart", func() (*police.Registration, error) { return c.Depart(ctx, k, morning) }, ""},
		{"police refusal", func() (*police.Registration, error) { return c.Register(ctx, k, full) }, police.CodeDeparted},
	} {
		switch _, err := step.do(); {
		case step.code != "":
			refusedWith(t, err, step.code)
		case err != nil:
			t.Fatal(err)
		}
		interfacetest.Hold(t, document, step.name, record.Last())
	}
	if err := bureau.Mark(police.Want{Scenario: police.Notice, DocumentType: police.ResidentID, DocumentNumber: guest().DocumentNumber}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Register(ctx, key("another"), stay())
	refusedWith(t, err, police.CodeSeeStaff)
	interfacetest.Hold(t, document, "police see-staff", record.Last())

	r, err := c.Find(ctx, k)
	if err != nil {
		t.Fatal(err)
	}
	interfacetest.Names(t, document, append(interfacetest.Members(t, r), interfacetest.Members(t, guest())...)...)
	interfacetest.Names(t, document, police.CodeSeeStaff, police.CodeBadDocument, police.CodeElsewhere, police.CodeHotelUnknown, police.CodeConflict,
		police.CodeDeparted, police.CodeBeforeStay, police.CodeRevisionGap, police.CodeNotFound, police.CodeBadRequest, police.CodeUnauthorized,
		string(police.ResidentID), string(police.Passport), string(police.HKMacaoPermit), string(police.TaiwanPermit), string(police.ForeignersCard),
		string(police.Registered), string(police.Departed), string(police.Clear), string(police.Check), string(police.Notice), string(police.Elsewhere))
}
