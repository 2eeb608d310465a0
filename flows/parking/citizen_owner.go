package parking

import (
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// ownedAt reports whether a plate is known to have been the owner's at a moment.
func ownedAt(q ledger.Querier, owner, plate []byte, at time.Time) (bool, error) {
	all, err := listOf(q, func(row ledger.Row) (id string, err error) { return id, row.Scan(&id) },
		`SELECT id FROM parking_vehicles WHERE owner = $1 AND plate = $2 AND from_at <= $3 AND until_at > $3`, owner, plate, at.UnixMilli())
	return len(all) > 0, err
}

// aboutOwner notes that a run is about the one whose plate it was then, if that is known: they may ask what was told of it.
func aboutOwner(tx *ledger.Tx, plate []byte, at time.Time, run string) error {
	owners, err := listOf(tx, func(row ledger.Row) (owner []byte, err error) { return owner, row.Scan(&owner) },
		`SELECT owner FROM parking_vehicles WHERE plate = $1 AND from_at <= $2 AND until_at > $2`, plate, at.UnixMilli())
	if err != nil {
		return err
	}
	for _, owner := range owners {
		if err := tx.About(run, owner); err != nil {
			return err
		}
	}
	return nil
}
