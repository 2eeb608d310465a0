package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/assist/desk"
)

// tokenVariable is the environment's name for a token: on the command line everybody on the machine could read it.
const tokenVariable = "WARMGATE_TOKEN"

type assistsCmd struct {
	API       string `name:"api" default:"http://127.0.0.1:8080" env:"WARMGATE_API" placeholder:"URL" help:"The gateway's address (${default})."`
	TokenFile string `placeholder:"FILE" help:"The token of a member of staff is in this file; without it, in WARMGATE_TOKEN."`
	CA        string `name:"ca" placeholder:"FILE" help:"Trust the authorities in this PEM file, in place of the system's."`
	Lang      string `env:"LC_ALL,LC_MESSAGES,LANG" placeholder:"LANGUAGE" help:"zh or en; without it, the environment's."`
	JSON      bool   `name:"json" help:"Print JSON, one value a line, for scripts."`

	List    assistsListCmd    `cmd:"" default:"withargs" help:"List what is unresolved; also where nothing else is said."`
	Show    assistsShowCmd    `cmd:"" help:"Show one whole, with its facts where you have claimed it."`
	Claim   assistsClaimCmd   `cmd:"" help:"Take one, so that nobody else works on it, and show it with its facts."`
	Release assistsReleaseCmd `cmd:"" help:"Hand one back."`
	Resolve assistsResolveCmd `cmd:"" help:"Settle one that you have claimed."`
}

// desk is what the commands below work with.
func (c *assistsCmd) desk(p *program) (*desk.Client, *desk.Printer, error) {
	lang := gateway.LangEn
	if strings.HasPrefix(strings.ToLower(c.Lang), "zh") {
		lang = gateway.LangZh
	}
	token, _ := os.LookupEnv(tokenVariable)
	if c.TokenFile != "" {
		text, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read the token: %w", err)
		}
		token = string(text)
	}
	if token = strings.TrimSpace(token); token == "" || strings.ContainsAny(token, " \t\r\n") {
		return nil, nil, fmt.Errorf("--token-file or %s must hold one token: %w", tokenVariable, errUsage)
	}
	client, err := desk.NewClient(c.API, token, lang, c.CA)
	if err != nil {
		return nil, nil, err
	}
	return client, desk.NewPrinter(p.stdout, lang, time.Now), nil
}

// one finds an assist by the end of its id, does something with it and prints it whole.
func (c *assistsCmd) one(p *program, end string, do func(ctx context.Context, client *desk.Client, id string) (desk.Assist, error)) error {
	client, printer, err := c.desk(p)
	if err != nil {
		return err
	}
	defer client.Close()
	id, err := client.Find(p.ctx, end)
	if err != nil {
		return err
	}
	a, err := do(p.ctx, client, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return desk.JSON(p.stdout, &a)
	}
	printer.Show(&a)
	return nil
}

// idArg is the end of an assist's id.
type idArg struct {
	ID string `arg:"" name:"id" help:"The id, or its end as the list has it."`
}

type assistsListCmd struct {
	State string `enum:"unresolved,open,claimed,resolved,all" default:"unresolved" help:"${enum} (${default})."`
	Watch bool   `help:"Go on, and print every change as it comes."`
}

// Run lists assists.
func (c *assistsListCmd) Run(p *program, of *assistsCmd) error {
	if c.Watch && c.State != "unresolved" {
		return fmt.Errorf("--watch tells of every change, whatever the --state: %w", errUsage)
	}
	client, printer, err := of.desk(p)
	if err != nil {
		return err
	}
	defer client.Close()
	if c.Watch {
		return c.watch(p, of, client, printer)
	}
	var all []desk.Assist
	switch c.State {
	case "unresolved":
		all, err = client.Unresolved(p.ctx)
	case "all":
		all, err = client.List(p.ctx, "")
	default:
		all, err = client.List(p.ctx, c.State)
	}
	switch {
	case err != nil:
		return err
	case !of.JSON:
		printer.List(all)
		return nil
	}
	for i := range all {
		if err := desk.JSON(p.stdout, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// watch prints until it is interrupted, which is its good end.
func (c *assistsListCmd) watch(p *program, of *assistsCmd, client *desk.Client, printer *desk.Printer) error {
	tell := func(e desk.Event) error {
		printer.Event(&e)
		return nil
	}
	if of.JSON {
		tell = func(e desk.Event) error { return desk.JSON(p.stdout, &e) }
	} else {
		printer.Head()
	}
	return client.Watch(p.ctx, tell, func(err error) { fmt.Fprintf(p.stderr, "warmgate: trying again: %v\n", err) })
}

type assistsShowCmd struct{ idArg }

// Run shows an assist.
func (c *assistsShowCmd) Run(p *program, of *assistsCmd) error {
	return of.one(p, c.ID, func(ctx context.Context, client *desk.Client, id string) (desk.Assist, error) {
		return client.Get(ctx, id)
	})
}

type assistsClaimCmd struct{ idArg }

// Run claims an assist.
func (c *assistsClaimCmd) Run(p *program, of *assistsCmd) error {
	return of.one(p, c.ID, func(ctx context.Context, client *desk.Client, id string) (desk.Assist, error) {
		if a, err := client.Claim(ctx, id); err != nil {
			return a, err
		}
		return client.Get(ctx, id) // the facts are told here alone
	})
}

type assistsReleaseCmd struct{ idArg }

// Run hands an assist back.
func (c *assistsReleaseCmd) Run(p *program, of *assistsCmd) error {
	return of.one(p, c.ID, func(ctx context.Context, client *desk.Client, id string) (desk.Assist, error) {
		return client.Release(ctx, id)
	})
}

type assistsResolveCmd struct {
	idArg
	Word    string `arg:"" name:"word" help:"One of the ways to settle it, as show has them."`
	Reason  string `required:"" help:"Why, in words; it is kept, sealed, on the audit trail."`
	Details string `placeholder:"JSON" help:"What the way to settle it needs besides."`
}

// Run settles an assist.
func (c *assistsResolveCmd) Run(p *program, of *assistsCmd) error {
	return of.one(p, c.ID, func(ctx context.Context, client *desk.Client, id string) (desk.Assist, error) {
		return client.Resolve(ctx, id, c.Word, c.Reason, []byte(c.Details))
	})
}
