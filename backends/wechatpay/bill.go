package wechatpay

import (
	"context"
	"crypto/sha1" //nolint:gosec // the provider's choice for a checksum whose own value is signed
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// wireBill says where a bill is.
type wireBill struct {
	HashType string `json:"hash_type"`
	Hash     string `json:"hash_value"`
	URL      string `json:"download_url"`
}

const downloads = "/v3/billdownload/"

var errDay = errors.New("day: want YYYY-MM-DD")

// TradeBill fetches everything that was paid and refunded on a day (YYYY-MM-DD, China's time), and gives take one row after the
// other, in the bill's order, once the whole is checked against the provider's checksum and its own sums. Until then it stands
// in a file of Config.MaxBill bytes at most, which has no name and is gone afterwards: no more than a row is in memory. take may
// take its time; its error ends it and is returned as it is. A read over connections of its own. It is refused with
// RefusedNoBill or RefusedNotReady: the provider makes a day's bill on the next day, by ten in the morning, and keeps it for
// three months.
func (c *Client) TradeBill(ctx context.Context, day string, take func(r *BillRow) error) (BillSum, error) {
	const op = "TradeBill"
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return BillSum{}, c.badInput(op, errDay)
	}
	path := "/v3/bill/tradebill?bill_date=" + day + "&bill_type=ALL"
	if c.cfg.SubMchID != "" {
		path += "&sub_mchid=" + c.cfg.SubMchID
	}
	var at wireBill
	var file string
	err := c.do(ctx, &exchange{op: op, method: "GET", path: path, out: &at, whole: func() (ok bool) {
		file, ok = at.path()
		return ok
	}})
	if err != nil {
		return BillSum{}, err
	}
	kept, err := spool()
	if err != nil {
		return BillSum{}, err
	}
	defer kept.Close()
	if err := c.download(ctx, op, file, at.Hash, kept, func(text io.Reader) error {
		_, err := readBill(text, day, func(r *BillRow) error { return r.isOf(c.cfg.MchID, c.cfg.SubMchID) })
		return err
	}); err != nil {
		return BillSum{}, err
	}
	if _, err := kept.Seek(0, io.SeekStart); err != nil {
		return BillSum{}, fmt.Errorf("cannot read a bill that was kept: %w", err)
	}
	return readBill(kept, day, take)
}

// spool makes a file that nobody else can open, and that is gone when it is closed.
func spool() (*os.File, error) {
	f, err := os.CreateTemp("", "warmgate-bill-*") // mode 0600
	if err == nil {
		err = os.Remove(f.Name())
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make room for a bill: %w", err)
	}
	return f, nil
}

// path returns where the file is, below the base URL: the host comes from the configuration alone.
func (w *wireBill) path() (string, bool) {
	u, err := url.Parse(w.URL)
	sum, hashErr := hex.DecodeString(w.Hash)
	if err != nil || hashErr != nil || len(sum) != sha1.Size || w.HashType != "SHA1" {
		return "", false
	}
	return u.RequestURI(), strings.HasPrefix(u.EscapedPath(), downloads) && len(w.URL) <= 2048
}

// download fetches a file into kept, and has it checked. The file itself is not signed: its checksum was.
func (c *Client) download(ctx context.Context, op, path, hash string, kept *os.File, check func(text io.Reader) error) error {
	a, err := c.sendBy(ctx, &exchange{op: op, method: "GET", path: path}, c.bills.Stream)
	if err != nil {
		return err
	}
	defer a.Release()
	if status := a.Status(); status != 200 {
		if e := c.judge(ctx, a); e != nil {
			return e
		}
		return a.Unknown(wire.ReasonStatus)
	}
	sum := sha1.New() //nolint:gosec // see the import
	if _, err := io.Copy(io.MultiWriter(kept, sum), a.Read(ctx)); err != nil {
		return asUnknown(a, err)
	}
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum.Sum(nil))), []byte(strings.ToLower(hash))) != 1 {
		return unproven(a, errors.New("the bill's checksum is wrong"))
	}
	if _, err = kept.Seek(0, io.SeekStart); err == nil {
		err = check(kept)
	}
	if err != nil {
		e := a.Unknown(wire.ReasonGarbage)
		e.Cause = err
		return e
	}
	return nil
}

// asUnknown keeps the *wire.Error of a body that broke off.
func asUnknown(a wire.Answer, err error) error {
	if _, ok := errors.AsType[*wire.Error](err); ok {
		return err
	}
	e := a.Unknown(wire.ReasonReset)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		e.Cause = errors.New("the bill cannot be read")
	}
	return e
}

// isOf reports that a row is another merchant's.
func (r *BillRow) isOf(mchID, subMchID string) error {
	if r.MchID != mchID || subMchID != "" && r.SubMchID != subMchID {
		return errors.New("it is another merchant's")
	}
	return nil
}
