package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// ErrUsage marks what the command line should have said.
var ErrUsage = errors.New("see --help")

// Terminal is where a command is run.
type Terminal struct {
	Ctx            context.Context // ends with an interrupt
	Stdout, Stderr io.Writer
}

// tokenVariable is the environment's name for a token: on the command line everybody on the machine could read it.
const tokenVariable = "WARMGATE_TOKEN"

// Command is the command line of the desk, as kong reads it.
type Command struct {
	API       string `name:"api" default:"http://127.0.0.1:8080" env:"WARMGATE_API" placeholder:"URL" help:"The gateway's address (${default})."`
	TokenFile string `placeholder:"FILE" help:"The token of a member of staff is in this file; without it, in WARMGATE_TOKEN."`
	CA        string `name:"ca" placeholder:"FILE" help:"Trust the authorities in this PEM file, in place of the system's."`
	Lang      string `env:"LC_ALL,LC_MESSAGES,LANG" placeholder:"LANGUAGE" help:"zh or en; without it, the environment's."`
	JSON      bool   `name:"json" help:"Print JSON, one value a line, for scripts."`

	List    listCommand    `cmd:"" default:"withargs" help:"List what is unresolved; also where nothing else is said."`
	Show    showCommand    `cmd:"" help:"Show one whole, with its facts where you have claimed it."`
	Claim   claimCommand   `cmd:"" help:"Take one, so that nobody else works on it, and show it with its facts."`
	Release releaseCommand `cmd:"" help:"Hand one back."`
	Resolve resolveCommand `cmd:"" help:"Settle one that you have claimed."`
}

// open returns what the commands below work with.
func (c *Command) open(t *Terminal) (*Client, *Printer, error) {
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
		return nil, nil, fmt.Errorf("--token-file or %s must hold one token: %w", tokenVariable, ErrUsage)
	}
	client, err := NewClient(c.API, token, lang, c.CA)
	if err != nil {
		return nil, nil, err
	}
	return client, NewPrinter(t.Stdout, lang, time.Now), nil
}

// one finds an assist by the end of its id, does something with it and prints it whole.
func (c *Command) one(t *Terminal, end string, do func(ctx context.Context, client *Client, id string) (Assist, error)) error {
	client, printer, err := c.open(t)
	if err != nil {
		return err
	}
	defer client.Close()
	id, err := client.Find(t.Ctx, end)
	if err != nil {
		return err
	}
	a, err := do(t.Ctx, client, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return JSON(t.Stdout, &a)
	}
	printer.Show(&a)
	return nil
}

// idArg is the end of an assist's id.
type idArg struct {
	ID string `arg:"" name:"id" help:"The id, or its end as the list has it."`
}

type listCommand struct {
	State string `enum:"unresolved,open,claimed,resolved,all" default:"unresolved" help:"${enum} (${default})."`
	Watch bool   `help:"Go on, and print every change as it comes."`
}

// Run lists assists.
func (c *listCommand) Run(t *Terminal, of *Command) error {
	if c.Watch && c.State != "unresolved" {
		return fmt.Errorf("--watch tells of every change, whatever the --state: %w", ErrUsage)
	}
	client, printer, err := of.open(t)
	if err != nil {
		return err
	}
	defer client.Close()
	if c.Watch {
		return c.watch(t, of, client, printer)
	}
	var all []Assist
	switch c.State {
	case "unresolved":
		all, err = client.Unresolved(t.Ctx)
	case "all":
		all, err = client.List(t.Ctx, "")
	default:
		all, err = client.List(t.Ctx, c.State)
	}
	switch {
	case err != nil:
		return err
	case !of.JSON:
		printer.List(all)
		return nil
	}
	for i := range all {
		if err := JSON(t.Stdout, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// watch prints until it is interrupted, which is its good end.
func (c *listCommand) watch(t *Terminal, of *Command, client *Client, printer *Printer) error {
	tell := func(e Event) error {
		printer.Event(&e)
		return nil
	}
	if of.JSON {
		tell = func(e Event) error { return JSON(t.Stdout, &e) }
	} else {
		printer.Head()
	}
	return client.Watch(t.Ctx, tell, func(err error) { fmt.Fprintf(t.Stderr, "warmgate: trying again: %v\n", err) })
}

type showCommand struct{ idArg }

// Run shows an assist.
func (c *showCommand) Run(t *Terminal, of *Command) error {
	return of.one(t, c.ID, func(ctx context.Context, client *Client, id string) (Assist, error) {
		return client.Get(ctx, id)
	})
}

type claimCommand struct{ idArg }

// Run claims an assist.
func (c *claimCommand) Run(t *Terminal, of *Command) error {
	return of.one(t, c.ID, func(ctx context.Context, client *Client, id string) (Assist, error) {
		if a, err := client.Claim(ctx, id); err != nil {
			return a, err
		}
		return client.Get(ctx, id) // the facts are told here alone
	})
}

type releaseCommand struct{ idArg }

// Run hands an assist back.
func (c *releaseCommand) Run(t *Terminal, of *Command) error {
	return of.one(t, c.ID, func(ctx context.Context, client *Client, id string) (Assist, error) {
		return client.Release(ctx, id)
	})
}

type resolveCommand struct {
	idArg
	Word    string `arg:"" name:"word" help:"One of the ways to settle it, as show has them."`
	Reason  string `required:"" help:"Why, in words; it is kept, sealed, on the audit trail."`
	Details string `placeholder:"JSON" help:"What the way to settle it needs besides."`
}

// Run settles an assist.
func (c *resolveCommand) Run(t *Terminal, of *Command) error {
	return of.one(t, c.ID, func(ctx context.Context, client *Client, id string) (Assist, error) {
		return client.Resolve(ctx, id, c.Word, c.Reason, []byte(c.Details))
	})
}
