package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/seal"
	"github.com/warmgate/warmgate/gateway/serve"
)

// provesAdmission lets one visitor through a real gateway and keeps what the first commit says to the database, statement
// by statement. Then writers commit the same statements with ids, keys and sealed fields of their own: grouped, one at a
// time, grouped again, in turn.
func provesAdmission(r *run) error {
	journeys, err := flows.All()
	if err != nil {
		return err
	}
	first, err := recordAdmission(r, journeys)
	if err != nil {
		return err
	}
	keys, err := seal.OpenFile(filepath.Join(r.dir, "seal.keys"))
	if err != nil {
		return err
	}
	var sets []ledger.Migrations
	for _, f := range journeys {
		sets = append(sets, f.Migrations...)
	}
	grouped, err := openLedger(r.ctx, filepath.Join(r.dir, "grouped.db"), keys, ledger.Config{}, sets...)
	if err != nil {
		return err
	}
	alone, err := openLedger(r.ctx, filepath.Join(r.dir, "alone.db"), keys, ledger.Config{Batch: 1}, sets...)
	if err != nil {
		return errors.Join(err, grouped.Close())
	}
	rate := func(l *ledger.Ledger) func() (float64, error) {
		return func() (float64, error) {
			return rateOf(func() error { return l.Commit(context.Background(), first.again(keys)) })
		}
	}
	err = sayAdmission(r, first, grouped, rate(grouped), rate(alone))
	if err == nil {
		err = sayLog(r, first, keys, sets...)
	}
	return errors.Join(err, grouped.Close(), alone.Close())
}

// sayLog commits one at a time into a log that is not begun anew meanwhile, and says how much of it each takes.
func sayLog(r *run, first *admission, keys *seal.Keys, sets ...ledger.Migrations) error {
	const commits = 1000
	path := filepath.Join(r.dir, "log.db")
	l, err := openLedger(r.ctx, path, keys, ledger.Config{Batch: 1, Upkeep: time.Hour}, sets...)
	if err != nil {
		return err
	}
	length := func(commits int) (int64, error) {
		for range commits {
			if err := l.Commit(r.ctx, first.again(keys)); err != nil {
				return 0, err
			}
		}
		log, err := os.Stat(path + "-wal")
		if err != nil {
			return 0, err
		}
		return log.Size(), nil
	}
	before, err := length(1)
	after := before
	if err == nil {
		after, err = length(commits)
	}
	r.report.note("log written for each, one at a time", "%.1f KiB", float64(after-before)/commits/1024)
	return errors.Join(err, l.Close())
}

func sayAdmission(r *run, first *admission, l *ledger.Ledger, grouped, alone func() (float64, error)) error {
	if _, err := grouped(); err != nil {
		return err
	}
	t, err := takePairs(r.ctx, r.n, grouped, alone, grouped, alone)
	if err != nil {
		return err
	}
	var ratios, control []float64
	for i := range t[0] {
		ratios = append(ratios, (t[0][i]+t[2][i])/(t[1][i]+t[3][i]))
		control = append(control, t[0][i]/t[2][i])
	}
	s := l.Stats()
	r.report.note("statements of the first commit, and disclosures", "%d and %d", len(first.statements), len(first.audits))
	r.report.note("one at a time, median", "%.0f commits/s", median(append(t[1], t[3]...)))
	r.report.note("admissions that share a flush", "%.1f", float64(s.Items)/float64(max(1, s.Batches)))
	r.report.control("A/A control: grouped over grouped, median", median(control))
	r.report.atLeast("grouped over one at a time, median", "×", median(ratios), 3, 1.5)
	r.report.atLeast("grouped, median", "commits/s", median(append(t[0], t[2]...)), 4000, 4)
	return nil
}

// statement is something said to the database.
type statement struct {
	query string
	args  []any
	reads bool
	own   []bool // by argument: it holds something that each visitor has of their own
}

// admission is the first commit of a real entry.
type admission struct {
	statements []statement
	audits     []ledger.AuditEntry
	replaced   []string // in every text: the scan, the ticket and last the run; each gets a new one of the same length
}

// recordAdmission lets a visitor through a gateway in this process whose database is listened to.
func recordAdmission(r *run, journeys []*flow.Flow) (a *admission, err error) {
	w, err := newWorld(filepath.Join(r.dir, "recorded"), r.seed, nil)
	if err != nil {
		return nil, err
	}
	defer w.close()
	environment := w.env()
	heard := &listener{}
	g, err := serve.Open(r.ctx, filepath.Join(w.path("configs"), "gateway.yaml"), serve.Options{
		Flows: journeys, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Env: func(name string) (string, bool) {
			if value, there := environment[name]; there {
				return value, true
			}
			return os.LookupEnv(name)
		},
		Store: func(path string, cfg sqlite.Config) (ledger.Store, error) {
			store, err := sqlite.Open(path, cfg)
			return &listened{Store: store, heard: heard}, err
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(r.ctx)
	api, err := listen()
	if err != nil {
		stop()
		return nil, errors.Join(err, g.Close(r.ctx))
	}
	admin, err := listen()
	if err != nil {
		stop()
		return nil, errors.Join(err, g.Close(r.ctx))
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, api, admin) }()
	a, err = enterOnce(w, api.Addr().String(), heard)
	stop()
	return a, errors.Join(err, <-served, g.Close(r.ctx))
}

func enterOnce(w *world, address string, heard *listener) (*admission, error) {
	tickets, err := w.issue(1, 1)
	if err != nil {
		return nil, err
	}
	token, err := w.mint("gate", "scenic:gate")
	if err != nil {
		return nil, err
	}
	scan := uuid.NewString()
	got, err := newClient(address, 1).do(entry(token, "north-1", scan, shown(tickets[0])), 5*time.Second)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusCreated {
		return nil, fmt.Errorf("cannot record an admission: answered %d %s", got.status, got.problem)
	}
	return heard.first(scan, tickets[0].Units[0].UUID)
}

// listener keeps what every transaction says.
type listener struct {
	mu  sync.Mutex
	all [][]statement
}

// listened is a store that tells the listener.
type listened struct {
	ledger.Store
	heard *listener
}

// Begin opens a transaction that is listened to.
func (s *listened) Begin(ctx context.Context) (ledger.StoreTx, error) {
	tx, err := s.Store.Begin(ctx)
	return &listenedTx{StoreTx: tx, heard: s.heard}, err
}

type listenedTx struct {
	ledger.StoreTx
	heard *listener
	said  []statement
}

// Exec notes a statement.
func (t *listenedTx) Exec(query string, args []any) (int64, error) {
	t.said = append(t.said, statement{query: query, args: append([]any(nil), args...)})
	return t.StoreTx.Exec(query, args)
}

// Query notes a statement.
func (t *listenedTx) Query(query string, args []any) (ledger.Rows, error) {
	t.said = append(t.said, statement{query: query, args: append([]any(nil), args...), reads: true})
	return t.StoreTx.Query(query, args)
}

// Commit hands over what was said.
func (t *listenedTx) Commit() error {
	t.heard.mu.Lock()
	t.heard.all = append(t.heard.all, t.said)
	t.heard.mu.Unlock()
	return t.StoreTx.Commit()
}

// first finds the transaction that began the run and admitted. The audit trail's own statements are the group's, not the
// item's: its entries are said anew.
func (h *listener) first(scan, unit string) (*admission, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, said := range h.all {
		a := &admission{replaced: []string{scan, unit}}
		admits := false
		for _, s := range said {
			switch {
			case strings.Contains(s.query, "audit_entries"):
				text := func(i int) string { return fmt.Sprint(s.args[i]) }
				a.audits = append(a.audits, ledger.AuditEntry{Actor: text(4), Action: text(5), System: text(6), Purpose: text(7), Fields: strings.Split(text(8), ",")})
				continue
			case strings.Contains(s.query, "audit_links"):
				continue
			case strings.Contains(s.query, "INSERT INTO runs"):
				a.replaced = append(a.replaced, fmt.Sprint(s.args[0]))
			case strings.Contains(s.query, "INSERT INTO admissions"):
				admits = true
			}
			a.statements = append(a.statements, s)
		}
		if admits && len(a.replaced) == 3 {
			a.mark()
			return a, nil
		}
	}
	return nil, errors.New("no transaction has begun a run and admitted somebody")
}

// mark notes which texts hold something of the visitor's own.
func (a *admission) mark() {
	for i := range a.statements {
		s := &a.statements[i]
		s.own = make([]bool, len(s.args))
		for k, arg := range s.args {
			text, _ := arg.(string)
			for _, old := range a.replaced {
				s.own[k] = s.own[k] || strings.Contains(text, old)
			}
		}
	}
}

// replay is the commit once more, for another visitor.
type replay struct {
	of   *admission
	box  seal.Box
	new  []string // for of.replaced
	hash [32]byte
}

func (a *admission) again(keys *seal.Keys) *replay {
	box, err := keys.NewBox()
	if err != nil {
		panic("BUG: a data key cannot be made: " + err.Error())
	}
	p := &replay{of: a, box: box}
	for range a.replaced {
		p.new = append(p.new, uuid.Must(uuid.NewV7()).String())
	}
	p.hash = keys.Hash("bench", []byte(p.new[0]))
	return p
}

// Apply says what the first commit said.
func (p *replay) Apply(tx *ledger.Tx) error {
	for i := range p.of.statements {
		s := &p.of.statements[i]
		args := make([]any, len(s.args))
		for k, arg := range s.args {
			args[k] = p.arg(arg, s.own[k])
		}
		if !s.reads {
			if _, err := tx.Exec(s.query, args...); err != nil {
				return err
			}
			continue
		}
		rows, err := tx.Query(s.query, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	for _, e := range p.of.audits {
		e.Run = p.new[len(p.new)-1]
		if err := tx.Audit(e); err != nil {
			return err
		}
	}
	return nil
}

// arg makes an argument this visitor's: hashes are its own, and what is sealed is sealed anew.
func (p *replay) arg(arg any, own bool) any {
	const sealing = 28 // bytes that a seal adds at least
	switch v := arg.(type) {
	case string:
		if own {
			for i, old := range p.of.replaced {
				v = strings.ReplaceAll(v, old, p.new[i])
			}
			return v
		}
	case []byte:
		switch {
		case len(v) == len(p.hash):
			return p.hash[:]
		case len(v) > 2*sealing:
			return p.box.Seal(make([]byte, len(v)-sealing), "bench")
		}
	}
	return arg
}
