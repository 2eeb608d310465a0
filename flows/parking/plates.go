package parking

import (
	"fmt"

	"github.com/warmgate/warmgate/flows/parking/plate"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/seal"
)

// sealedPlate is where a sealed plate belongs.
const sealedPlate = "parking.plate"

// hashPlate is what the ledger knows a plate by, at every lot of a tenant.
func hashPlate(keys *seal.Keys, tenant string, p plate.Plate) []byte {
	sum := keys.Hash("parking-plate", []byte(tenant), []byte(p.String()))
	return sum[:]
}

// sealPlate seals a plate with a data key of its own.
func sealPlate(keys *seal.Keys, p plate.Plate) (dataKey, sealed []byte, err error) {
	box, err := keys.NewBox()
	if err != nil {
		return nil, nil, err
	}
	return box.Wrapped(), box.Seal([]byte(p.String()), sealedPlate), nil
}

// openPlate reads a sealed plate.
func openPlate(keys *seal.Keys, dataKey, sealed []byte) (string, error) {
	box, err := keys.OpenBox(dataKey)
	if err != nil {
		return "", err
	}
	plain, err := box.Open(sealed, sealedPlate)
	return string(plain), err
}

// readPlate reads a plate that a machine or a person has sent.
func readPlate(path, s string) (plate.Plate, error) {
	if s == "" {
		return plate.Plate{}, edge.FieldMissing(path)
	}
	p, err := plate.Parse(s)
	if err != nil {
		return p, ProblemPlateInvalid.Error(gateway.Text{}).WithField(path).WithCause(fmt.Errorf("cannot read a plate: %w", err))
	}
	return p, nil
}

// color is that of a plate. Systems want it, and barriers do not tell it.
type color uint8

const (
	blue color = iota
	yellow
	white
	black
	green
	yellowGreen // a large car of new energy
)

// colorOf is the colour that a plate has by its kind, and by the car that it is on.
func colorOf(p plate.Plate, vehicle string) color {
	switch p.Kind() {
	case plate.NewEnergy:
		if vehicle == vehicleLarge {
			return yellowGreen
		}
		return green
	case plate.Embassy, plate.Consulate, plate.CrossBorder:
		return black
	case plate.Police, plate.Military, plate.ArmedPolice, plate.Rescue:
		return white
	case plate.Trailer, plate.Training, plate.Tractor:
		return yellow
	}
	if vehicle == vehicleLarge {
		return yellow
	}
	return blue
}
