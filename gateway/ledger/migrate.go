package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// setName is what a set of migrations may be called: it becomes part of a table's name.
var setName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// Migrate brings each set to its newest version in db, each file in a transaction of its own. A database that has seen
// a newer version than the set holds is refused, unchanged. Stores use it; the ledger calls it through them.
func Migrate(ctx context.Context, db *sql.DB, dialect database.Dialect, sets ...Migrations) error {
	for _, set := range sets {
		if err := migrate(ctx, db, dialect, set); err != nil {
			return fmt.Errorf("cannot migrate the tables of %q: %w", set.Name, err)
		}
	}
	return nil
}

// migrate brings one set to its newest version.
func migrate(ctx context.Context, db *sql.DB, dialect database.Dialect, set Migrations) error {
	if !setName.MatchString(set.Name) {
		return fmt.Errorf("the name does not match %s", setName)
	}
	provider, err := goose.NewProvider(dialect, db, set.FS,
		goose.WithTableName("schema_"+set.Name), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("the database is at version %d, this program knows only %d: run a newer program", have, want)
	}
	if have == want {
		return nil
	}
	_, err = provider.Up(ctx)
	return err
}
