package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// sower copies visits that stand in a ledger, which nobody works on, many times. The copies have ids, plates and times of
// their own; what is sealed in them is the first ones'.
type sower struct {
	ctx context.Context
	db  *sql.DB
}

// sowParkings makes so many stays out of those that are there. An index is made anew once its table is full.
func sowParkings(ctx context.Context, w *world, stays int) (err error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: w.path("data/ledger.db")}).EscapedPath()+
		"?_pragma=synchronous(OFF)&_pragma=cache_size(-1500000)&_pragma=temp_store(MEMORY)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	s := &sower{ctx: ctx, db: db}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := s.do(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return err
	}
	var mode string // no log: this copy is thrown away where making it fails
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode=OFF`).Scan(&mode); err != nil {
		return err
	}
	indexes, err := s.dropIndexes()
	if err != nil {
		return err
	}
	if err := s.do(`BEGIN`); err != nil {
		return err
	}
	if err := s.sow(stays); err != nil {
		return err
	}
	for _, text := range indexes {
		if err := s.do(text); err != nil {
			return err
		}
	}
	if err := s.do(`COMMIT`); err != nil {
		return err
	}
	if err := s.do(`ANALYZE sqlite_schema`); err != nil {
		return err
	}
	return db.QueryRowContext(ctx, `PRAGMA journal_mode=WAL`).Scan(&mode)
}

func (s *sower) do(query string, args ...any) error {
	if _, err := s.db.ExecContext(s.ctx, query, args...); err != nil {
		return fmt.Errorf("cannot sow stays: %w\n%s", err, query)
	}
	return nil
}

// dropIndexes drops those that a statement made, and returns the statements.
func (s *sower) dropIndexes() (texts []string, err error) {
	type index struct{ name, text string }
	p := &peek{db: s.db}
	all, err := peekRows(s.ctx, p, func(r *sql.Rows, i *index) error { return r.Scan(&i.name, &i.text) },
		`SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL`)
	for _, i := range all {
		err = errors.Join(err, s.do(`DROP INDEX "`+i.name+`"`))
		texts = append(texts, i.text)
	}
	return texts, err
}

// sow copies every visit that has a bill, in turn, until there are so many.
func (s *sower) sow(stays int) error {
	p := &peek{db: s.db}
	first, err := peekRows(s.ctx, p, func(r *sql.Rows, id *string) error { return r.Scan(id) },
		`SELECT id FROM parking_stays WHERE state = 'exited' ORDER BY id`)
	if err != nil {
		return err
	}
	for i, id := range first {
		from, to := stays*i/len(first), stays*(i+1)/len(first)
		if err := s.multiply(id, from, to); err != nil {
			return err
		}
	}
	return nil
}

// multiply copies one visit under the numbers from … to-1.
func (s *sower) multiply(stay string, from, to int) error {
	var bill, plate, entry, exit, runIn, runOut string
	err := s.db.QueryRowContext(s.ctx, `SELECT b.id, hex(s.plate), s.entry, s.exit, s.run, b.run FROM parking_stays s JOIN parking_bills b ON b.stay = s.id
		WHERE s.id = $1`, stay).Scan(&bill, &plate, &entry, &exit, &runIn, &runOut)
	if err != nil {
		return fmt.Errorf("cannot find a visit to copy: %w", err)
	}
	const day = 86_400_000
	if err := errors.Join(
		s.do(`CREATE TEMP TABLE seeds (sid TEXT, bid TEXT, ein TEXT, eout TEXT, rin TEXT, rout TEXT, k TEXT, plate BLOB, shift INT)`),
		s.do(`WITH RECURSIVE n (k) AS (SELECT $1 UNION ALL SELECT k + 1 FROM n WHERE k + 1 < $2)
			INSERT INTO seeds SELECT printf('%032x', 2*k), printf('%032x', 2*k+1), lower(hex(randomblob(16))), lower(hex(randomblob(16))),
			printf('00000000-0000-7000-8000-%012x', 2*k), printf('00000000-0000-7000-8000-%012x', 2*k+1), printf('%08x', k), randomblob(32), 8*$3 + k*50 FROM n`, from, to, day)); err != nil {
		return err
	}
	names := map[string]string{stay: "seeds.sid", bill: "seeds.bid", entry: "seeds.ein", exit: "seeds.eout", runIn: "seeds.rin", runOut: "seeds.rout"}
	numbers, err := peekRows(s.ctx, &peek{db: s.db}, func(r *sql.Rows, n *string) error { return r.Scan(n) },
		`SELECT number FROM parking_collections WHERE bill = $1`, bill)
	if err != nil {
		return err
	}
	for _, n := range numbers { // as copy names them where they are a column
		names[n] = "'" + n + "/' || seeds.k"
	}
	for _, t := range []struct{ table, where string }{
		{"parking_stays", `id = '` + stay + `'`}, {"parking_events", `stay = '` + stay + `'`}, {"parking_bills", `id = '` + bill + `'`},
		{"parking_permissions", `plate = x'` + plate + `'`}, {"parking_movements", `bill = '` + bill + `'`},
		{"parking_postings", `movement IN (SELECT id FROM parking_movements WHERE bill = '` + bill + `')`},
		{"parking_collections", `bill = '` + bill + `'`},
		{"parking_notices", `subject IN (SELECT number FROM parking_collections WHERE bill = '` + bill + `')`},
		{"runs", `id IN ('` + runIn + `', '` + runOut + `')`}, {"operations", `run IN ('` + runIn + `', '` + runOut + `')`},
	} {
		if err := s.copy(t.table, t.where, names); err != nil {
			return err
		}
	}
	return s.do(`DROP TABLE seeds`)
}

// copy copies the rows of a table for every seed. What names a thing of the visit names the copy's then, by an expression over
// the seed.
func (s *sower) copy(table, where string, renamed map[string]string) error {
	if err := s.do(`CREATE TEMP TABLE original AS SELECT * FROM ` + table + ` WHERE ` + where); err != nil {
		return err
	}
	type column struct{ name, kind string }
	columns, err := peekRows(s.ctx, &peek{db: s.db}, func(r *sql.Rows, c *column) error { return r.Scan(&c.name, &c.kind) },
		`SELECT name, type FROM pragma_table_info('`+table+`')`)
	if err != nil {
		return err
	}
	var names, values []string
	for _, c := range columns {
		value := "t." + c.name
		switch {
		case c.name == "plate":
			value = "seeds.plate"
		case table == "runs" && c.name == "idem_scope":
			value = "NULL" // the record is gone after a day
		case slices.Contains([]string{"number", "notice", "reference", "subject"}, c.name) && strings.HasPrefix(table, "parking_"):
			value = "CASE WHEN " + value + " = '' THEN '' ELSE " + value + " || '/' || seeds.k END"
		case c.kind == "TEXT" && c.name != "lines" && c.name != "state":
			for name, by := range renamed {
				n, err := (&peek{db: s.db}).number(s.ctx, `SELECT COUNT(*) FROM original WHERE instr(`+c.name+`, '`+name+`') > 0`)
				if err != nil {
					return err
				}
				if n > 0 {
					value = fmt.Sprintf("replace(%s, '%s', %s)", value, name, by)
				}
			}
		case strings.HasSuffix(c.name, "_at"):
			value = "CASE WHEN " + value + " > 0 THEN " + value + " - seeds.shift ELSE 0 END"
		}
		names, values = append(names, c.name), append(values, value)
	}
	return errors.Join(s.do(`INSERT INTO `+table+` (`+strings.Join(names, ", ")+`) SELECT `+strings.Join(values, ", ")+` FROM seeds CROSS JOIN original t`),
		s.do(`DROP TABLE original`))
}
