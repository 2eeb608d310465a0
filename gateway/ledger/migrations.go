package ledger

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// EngineMigrations returns the schema of the engine's own tables. Open runs them before those of the journeys.
func EngineMigrations() Migrations {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(fmt.Sprintf("the embedded migrations: %v", err)) // impossible: the folder is embedded above
	}
	return Migrations{Name: "engine", FS: files}
}
