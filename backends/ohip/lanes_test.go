package ohip_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// A hotel of a chain that hangs, asked again and again, leaves the other hotels their part of the chain's connections.
func TestAHotelThatHangsLeavesTheChainItsConnections(t *testing.T) {
	town, err := ohip.NewTown(townConfig())
	fine(t, err)
	cfg := testConfig(twintest.Open(t, "ohip", "town", town).URL)
	cfg.MaxConns = 8
	client, err := ohip.New(cfg)
	fine(t, err)
	t.Cleanup(client.Close)
	fine(t, town.SetTrouble([]ohip.TownTrouble{{Share: 0.05, Dial: twin.Dial{Fault: twin.Hang}}}))
	var hangs *ohip.Client
	var well []*ohip.Client
	for n := 0; hangs == nil || len(well) < 20; n++ {
		id := town.HotelAt(n).ID
		one, err := client.At(id)
		fine(t, err)
		if town.Trouble("/par/v1/hotels/"+id+"/availability").Fault == twin.Hang {
			hangs = one
		} else if len(well) < 20 {
			well = append(well, one)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	refused := make(chan wire.Reason, 30)
	for range cap(refused) {
		asking.Go(func() {
			_, err := hangs.Availability(ctx, tonight())
			if e, ok := errors.AsType[*wire.Error](err); ok {
				refused <- e.Reason
			}
		})
	}
	for range cap(refused) - cfg.MaxConns/2 {
		select {
		case why := <-refused:
			if why != wire.ReasonNoConn {
				t.Fatalf("one of too many calls ends as %q", why)
			}
		case <-ctx.Done():
			t.Fatal("the calls beyond its part are not refused")
		}
	}
	for _, one := range well {
		if _, err := one.Availability(twintest.Within(t, 5*time.Second), tonight()); err != nil {
			t.Errorf("%s: %v", one.HotelID(), err)
		}
	}
}
