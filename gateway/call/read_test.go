package call

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

func TestFreshAnswerIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		p := Policy{Slice: 100 * time.Millisecond, Cache: CachePolicy{Fresh: 5 * time.Second}}
		asked := time.Now()
		for i, want := range []gateway.State{gateway.Live, gateway.Cached, gateway.Cached} {
			o, s, err := w.call(p)
			if o != 7 || err != nil || s != (gateway.Source{System: "ticketing", AsOf: asked, State: want}) {
				t.Fatalf("call %d: %v %+v %v, want state %s", i, o, s, err, want)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second)
		if _, s, _ := w.call(p); s.State != gateway.Live || w.calls.Load() != 2 {
			t.Fatalf("after 5s: %s with %d calls, want live with 2", s.State, w.calls.Load())
		}
	})
}
