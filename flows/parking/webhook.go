package parking

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
)

// What a notification is refused with. Each of them leaves nothing behind.
var (
	ProblemWebhookUnknown = &gateway.Problem{Type: "webhook-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有这个通知地址", En: "Nobody is notified here"}}
	ProblemNoticeForged = &gateway.Problem{Type: "notice-forged", Kind: gateway.Unauthenticated, Title: gateway.Text{
		Zh: "通知的签名或时间有误", En: "The notification's signature or time is wrong"}}
	ProblemNoticeUnreadable = &gateway.Problem{Type: "notice-unreadable", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "通知内容无法读取", En: "The notification cannot be read"}}
	ProblemNoticeUnverified = &gateway.Problem{Type: "notice-unverified", Kind: gateway.Unavailable, Retryable: true, Title: gateway.Text{
		Zh: "暂时无法验证通知", En: "The notification cannot be verified at the moment"}}
	ProblemNoticeChanged = &gateway.Problem{Type: "notice-changed", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "同一通知编号的内容不一致", En: "This notification has come before with another content"}}
)

// webhook is the address at which a lot's collector tells on its own how things stand. The account is the lot: its connection
// holds the keys. The provider's signature is all that counts here, there is no token; a success is answered only once what
// was told is durable.
func webhook(rt *flow.Runtime, t *tills) edge.Route {
	return edge.Route{
		Method: http.MethodPost, Name: "parking-webhook", Path: "/v1/webhooks/{connector}/{account}", Public: true, Priority: limit.High,
		Serve: func(x *edge.Exchange) error {
			lot := x.Param("account")
			from := t.find(func(n *till) bool {
				return n.venue.ID == lot && n.connector == x.Param("connector") && n.hear != nil
			})
			if from == nil {
				return ProblemWebhookUnknown.Error(gateway.Text{})
			}
			ctx, cancel := context.WithTimeout(context.Background(), x.Deadline().Sub(rt.Now()))
			defer cancel()
			heard, err := from.hear(ctx, x.Header, x.Body())
			if err != nil {
				return err
			}
			if err := takeNotice(ctx, rt.Ledger, from, heard); err != nil {
				return err
			}
			x.Raw(http.StatusNoContent, "application/json", nil)
			return nil
		},
	}
}

// takeNotice keeps what a till has told. Nobody stands at a barrier for it. The error is a problem.
func takeNotice(ctx context.Context, l *ledger.Ledger, from *till, heard Heard) error {
	n, err := newNotice(l.Keys(), from.connector, from.venue.ID, heard)
	if err != nil {
		return err
	}
	_, err = ledger.Do(ledger.Patient(ctx), l, take, n)
	if errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrUnknown) {
		return gateway.ProblemLedgerUnavailable.Error(gateway.Text{}).WithRetryAfter(time.Second).WithCause(err)
	}
	return err
}
