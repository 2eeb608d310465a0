package sqlite

import "testing"

// Parameters lose their numbers where each is there once and in order, and nowhere else.
func TestUnnumbered(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1": "SELECT 1",
		"SELECT a FROM t WHERE b = $1 AND c IN ($2,$3)":                       "SELECT a FROM t WHERE b = ? AND c IN (?,?)",
		"INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)": "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"UPDATE t SET a = '$9 ? -- it''s', b = $1 WHERE \"$2\" = $2":          "UPDATE t SET a = '$9 ? -- it''s', b = ? WHERE \"$2\" = ?",
		"UPDATE t SET a = $2 WHERE b = $1":                                    "UPDATE t SET a = $2 WHERE b = $1",
		"UPDATE t SET a = $1, b = $1 WHERE c = $2":                            "UPDATE t SET a = $1, b = $1 WHERE c = $2",
		"SELECT a FROM t WHERE b = $1 AND c = $3":                             "SELECT a FROM t WHERE b = $1 AND c = $3",
		"SELECT a FROM t WHERE b = $10":                                       "SELECT a FROM t WHERE b = $10",
		"SELECT a FROM t WHERE b = $01":                                       "SELECT a FROM t WHERE b = $01",
		"SELECT a FROM t WHERE b = $name":                                     "SELECT a FROM t WHERE b = $name",
		"SELECT a FROM t WHERE b = $1 -- and $2":                              "SELECT a FROM t WHERE b = $1 -- and $2",
		"SELECT a /* $1 */ FROM t WHERE b = $1":                               "SELECT a /* $1 */ FROM t WHERE b = $1",
		"SELECT a FROM t WHERE b = $1 AND c = ?":                              "SELECT a FROM t WHERE b = $1 AND c = ?",
		"SELECT a FROM t WHERE b = $1 AND c = 'open":                          "SELECT a FROM t WHERE b = $1 AND c = 'open",
	} {
		if got := unnumbered(query); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
}
