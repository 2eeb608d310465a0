package identity_test

import (
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/identity/interfacetest"
	"github.com/warmgate/warmgate/backends/twin/twintest"
)

const document = "../../docs/interfaces.md"

// TestTheDocumentIsTrue: every example in it is an exchange that takes place here, and every word of the interface is in it.
func TestTheDocumentIsTrue(t *testing.T) {
	service := newTwin(t, 7)
	record := interfacetest.Record(t, service)
	c, err := identity.New(identity.Config{BaseURL: record.URL, APIKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	made, err := service.MakeUp(identity.Want{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.Verify(twintest.Within(t, 10*time.Second), request(made[0]))
	if err != nil {
		t.Fatal(err)
	}
	interfacetest.Hold(t, document, "identity verify", record.Last())
	if made, err = service.MakeUp(identity.Want{Face: identity.Two}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Verify(twintest.Within(t, 10*time.Second), request(made[0]))
	refusedWith(t, err, identity.CodeSeveralFaces)
	interfacetest.Hold(t, document, "identity refusal", record.Last())

	d := made[0].Document
	d.Portrait = []byte("x")
	interfacetest.Names(t, document, append(interfacetest.Members(t, v), interfacetest.Members(t, d)...)...)
	interfacetest.Names(t, document, identity.CodeFaceMissing, identity.CodeFaceTooLarge, identity.CodeFaceUnreadable, identity.CodeSeveralFaces,
		identity.CodeDocumentUnreadable, identity.CodeNumberInvalid, identity.CodeBadRequest, identity.CodeUnauthorized,
		string(identity.LivenessPassed), string(identity.LivenessFailed), string(identity.LivenessUnsure), string(identity.Valid), string(identity.Expired),
		string(identity.Unreadable), string(identity.NotKnown), string(identity.Child), string(identity.Youth), string(identity.Adult))
	for _, s := range identity.Scenarios() {
		interfacetest.Names(t, document, string(s))
	}
	for _, f := range []identity.Face{identity.Own, identity.Doubtful, identity.Other, identity.Printed, identity.Unclear, identity.Blank, identity.Two} {
		interfacetest.Names(t, document, string(f))
	}
}
