package ledgertest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// nothing is a store that works and keeps nothing.
type nothing struct{ ledger.Store }

func (nothing) Begin(context.Context) (ledger.StoreTx, error) { return nil, nil }

func TestFaultyOverHTTP(t *testing.T) {
	f := ledgertest.Wrap(nothing{})
	dial := func(method, path, body string) int {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w.Code
	}
	begin := func() error { _, err := f.Begin(t.Context()); return err }
	if code := dial(http.MethodPut, "/begin", "full"); code != http.StatusNoContent || !errors.Is(begin(), ledger.ErrUnavailable) {
		t.Errorf("full: status %d, %v", code, begin())
	}
	for _, wrong := range [][3]string{
		{http.MethodPost, "/begin", ""}, {http.MethodPut, "/end", ""}, {http.MethodPut, "/begin", "flood"},
	} {
		if code := dial(wrong[0], wrong[1], wrong[2]); code != http.StatusBadRequest {
			t.Errorf("%v: status %d", wrong, code)
		}
	}
	if code := dial(http.MethodPut, "/begin", ""); code != http.StatusNoContent || begin() != nil {
		t.Errorf("cleared: status %d, %v", code, begin())
	}
}
