package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/gateway/serve"
)

type reconcileCmd struct {
	configFlag
	logFlag
	Day   string `required:"" placeholder:"YYYY-MM-DD" help:"The day, which must be over."`
	Venue string `placeholder:"ID" help:"One lot, with those that share its account; without it: every lot."`
	Admin string `placeholder:"ADDRESS" help:"The second listener of the gateway that runs; without it: as the gateway's file says."`
	JSON  bool   `help:"Print one JSON array."`
}

// Run has the gateway that runs reconcile a day. Where none does, this process is one for as long as it takes.
func (c *reconcileCmd) Run(p *program) error {
	if _, err := time.Parse(time.DateOnly, c.Day); err != nil {
		return fmt.Errorf("--day must be YYYY-MM-DD, is %q: %w", c.Day, errUsage)
	}
	arg, err := json.Marshal(parking.ToReconcile{Day: c.Day, Venue: c.Venue})
	if err != nil {
		return err
	}
	address := c.Admin
	if address == "" {
		if address, err = serve.AdminAddress(c.Config, os.LookupEnv); err != nil {
			return err
		}
	}
	answer, err := serve.Send(p.ctx, address, parking.ErrandReconcile, arg)
	if errors.Is(err, serve.ErrNobodyServes) && c.Admin == "" { // a gateway elsewhere has the ledger locked
		answer, err = c.alone(p, arg)
	}
	if err != nil {
		return fmt.Errorf("cannot reconcile %s: %w", c.Day, err)
	}
	return c.say(p.stdout, answer)
}

// alone opens the ledger itself, since nobody serves.
func (c *reconcileCmd) alone(p *program, arg []byte) (answer jsontext.Value, err error) {
	journeys, err := flows.All()
	if err != nil {
		return nil, err
	}
	g, err := serve.Open(p.ctx, c.Config, serve.Options{Flows: journeys, Env: os.LookupEnv, Logger: c.logger(p.stderr), Now: time.Now})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.Close(context.WithoutCancel(p.ctx))) }()
	result, err := g.Errand(p.ctx, parking.ErrandReconcile, arg)
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// say prints what has come of it. The error says that a bill was not read to its end.
func (c *reconcileCmd) say(w io.Writer, answer jsontext.Value) error {
	var all []parking.Reconciled
	if err := json.Unmarshal(answer, &all); err != nil {
		return fmt.Errorf("cannot read what the gateway answers: %w", err)
	}
	if c.JSON {
		fmt.Fprintf(w, "%s\n", answer)
	} else if len(all) == 0 {
		fmt.Fprintln(w, "No lot's collector makes a bill of a day.")
	}
	var broken []error
	for _, r := range all {
		if !c.JSON {
			fmt.Fprintf(w, "%s  %s of %s: %d payments and %d refunds in the bill, %d settled by asking, %d differences (%d of them new), each an assist\n",
				r.Day, r.Connector, strings.Join(r.Lots, ", "), r.Payments, r.Refunds, r.Settled, r.Differences, r.Fresh)
		}
		if r.Error != "" {
			broken = append(broken, fmt.Errorf("cannot reconcile %s of %s: %s", r.Day, strings.Join(r.Lots, ", "), r.Error))
		}
	}
	return errors.Join(broken...)
}
