package ledger

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Keeper does a ledger's housekeeping in the background: it anchors the audit trail, and sweeps what is no longer needed.
type Keeper struct {
	ledger  *Ledger
	anchors *anchorFile
	every   time.Duration
	stop    context.CancelFunc
	wg      sync.WaitGroup
	failing bool
}

// keeperWait bounds one piece of housekeeping.
const keeperWait = 10 * time.Second

// StartKeeper starts the housekeeping of l, at once and then every so often (a positive time; anchors are as old as that at most). anchors is the path of the anchor file, which is appended to
// and never cut; it is made (mode 0600) when absent. Close the keeper before the ledger.
func StartKeeper(l *Ledger, anchors string, every time.Duration) (*Keeper, error) {
	file, err := openAnchors(anchors)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.Background())
	k := &Keeper{ledger: l, anchors: file, every: every, stop: stop}
	k.wg.Go(func() { k.loop(life) })
	return k, nil
}

// Close stops the housekeeping and writes a last anchor.
func (k *Keeper) Close() error {
	k.stop()
	k.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), keeperWait)
	defer cancel()
	return errors.Join(k.anchors.add(ctx, k.ledger), k.anchors.f.Close())
}

func (k *Keeper) loop(life context.Context) {
	ticker := time.NewTicker(k.every)
	defer ticker.Stop()
	for {
		k.once(life)
		select {
		case <-life.Done():
			return
		case <-ticker.C:
		}
	}
}

// once does each piece of housekeeping; failures are logged when they begin.
func (k *Keeper) once(life context.Context) {
	ctx, cancel := context.WithTimeout(life, keeperWait)
	defer cancel()
	err := errors.Join(k.anchors.add(ctx, k.ledger), k.sweep(ctx))
	if err != nil && !k.failing && life.Err() == nil {
		k.ledger.log.Warn("the ledger's housekeeping failed; it will be tried again", "error", err)
	}
	k.failing = err != nil
}

// sweep sweeps until nothing is left. It writes only when there is something to sweep.
func (k *Keeper) sweep(ctx context.Context) error {
	for {
		var due bool
		err := k.ledger.View(ctx, func(q Querier) (err error) {
			due, err = sweepDue(q, k.ledger.Now())
			return err
		})
		if err != nil || !due {
			return err
		}
		if err = k.ledger.Commit(ctx, sweeping{}); err != nil {
			return err
		}
	}
}

// sweeping is the commit that sweeps.
type sweeping struct{}

// Apply sweeps once.
func (sweeping) Apply(tx *Tx) error {
	_, err := Sweep(tx, tx.Now())
	return err
}

// String names the work in the ledger's log lines.
func (sweeping) String() string { return "sweep" }
