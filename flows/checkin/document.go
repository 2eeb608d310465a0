package checkin

import (
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/person"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
)

// readDocument reads what the kiosk's reader says of a document and refuses what cannot be one. What a resident's number
// says of its holder need not be said twice.
func readDocument(b documentBody, path string, at time.Time) (Document, error) {
	d := Document{Type: b.Type, Name: strings.TrimSpace(b.Name), LatinName: strings.TrimSpace(b.LatinName), Nationality: b.Nationality,
		BirthDate: b.BirthDate, Sex: b.Sex, ExpiresOn: b.ExpiresOn}
	var err error
	if d.Number, err = readNumber(b.Type, b.Number, path); err != nil {
		return d, err
	}
	if err := edge.CheckText(path+"name", d.Name, maxName); err != nil {
		return d, err
	}
	if d.LatinName != "" {
		if err := edge.CheckText(path+"latin_name", d.LatinName, maxName); err != nil {
			return d, err
		}
	}
	if r, err := person.ReadResident(d.Number); err == nil && (d.Type == residentID || d.Type == foreignersCard) {
		d.BirthDate, d.Sex = orElse(d.BirthDate, r.Born), orElse(d.Sex, r.Sex)
		if d.BirthDate != r.Born || d.Sex != r.Sex {
			return d, ProblemDocumentInvalid.Error(gateway.Text{Zh: "出生日期或性别与证件号码不符",
				En: "The number says another birth date or sex."}).WithField(path + "number")
		}
	}
	if d.Type == residentID || d.Type == hkMacaoPermit || d.Type == taiwanPermit {
		d.Nationality = orElse(d.Nationality, "CHN")
	}
	return d, checkHolder(d, path, at)
}

// checkHolder refuses dates and words that a document cannot have.
func checkHolder(d Document, path string, at time.Time) error {
	today := at.Format(time.DateOnly)
	switch {
	case d.BirthDate == "":
		return edge.FieldMissing(path + "birth_date")
	case !isDate(d.BirthDate) || d.BirthDate > today || d.BirthDate < "1900-01-01":
		return edge.FieldInvalid(path+"birth_date", "须为过去的日期，如 1990-01-31", "It must be a day in the past, like 1990-01-31.")
	case d.Sex == "":
		return edge.FieldMissing(path + "sex")
	case d.Sex != "M" && d.Sex != "F" && d.Sex != "X":
		return edge.FieldInvalid(path+"sex", "须为 M、F 或 X", "It must be M, F or X.")
	case d.Nationality == "":
		return edge.FieldMissing(path + "nationality")
	case len(d.Nationality) != 3 || strings.Trim(d.Nationality, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return edge.FieldInvalid(path+"nationality", "须为三个大写字母", "It must be three capitals (ISO 3166-1).")
	case d.ExpiresOn != "" && !isDate(d.ExpiresOn):
		return edge.FieldInvalid(path+"expires_on", "须为日期，如 2030-01-31", "It must be a day, like 2030-01-31.")
	}
	return nil
}

// readNumber reads a document's number: capitals and digits, as long as one of its type is, with the right check digit.
func readNumber(kind, number, path string) (string, error) {
	number = strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(number), " ", ""))
	switch {
	case kind == "":
		return "", edge.FieldMissing(path + "type")
	case number == "":
		return "", edge.FieldMissing(path + "number")
	case len(number) > maxNumber || strings.Trim(number, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "":
		return "", ProblemDocumentInvalid.Error(gateway.Text{}).WithField(path + "number")
	}
	var ok bool
	switch kind {
	case residentID:
		ok = isResident(number)
	case foreignersCard:
		ok = isResident(number) || len(number) == 15
	case passport:
		ok = len(number) >= 6 && len(number) <= 9
	case hkMacaoPermit:
		ok = (len(number) == 9 || len(number) == 11) && (number[0] == 'H' || number[0] == 'M') && isDigits(number[1:])
	case taiwanPermit:
		ok = len(number) == 8 && isDigits(number)
	default:
		return "", edge.FieldInvalid(path+"type", "不支持的证件类型", "It is none of the types that are known here.")
	}
	if !ok {
		return "", ProblemDocumentInvalid.Error(gateway.Text{}).WithField(path + "number")
	}
	return number, nil
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

func isResident(number string) bool {
	_, err := person.ReadResident(number)
	return err == nil
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
