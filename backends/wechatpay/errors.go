package wechatpay

import (
	"errors"
	"strings"

	"github.com/warmgate/warmgate/backends/wire"
)

// ReasonSignature is a reason of fate Unknown: the answer is not proven to be the provider's. The cause says why.
const ReasonSignature wire.Reason = "signature"

// Kind is why the provider says no, in our words.
type Kind string

// The kinds of refusals.
const (
	RefusedLimit       Kind = "limit"       // a business rule of the provider's: not now, perhaps not at all (RULE_LIMIT)
	RefusedBusy        Kind = "busy"        // asked too often: it was not done, the same may be sent again later
	RefusedNotFound    Kind = "not-found"   // there is no such charge, entry or refund
	RefusedOtherUse    Kind = "other-use"   // the key exists with other parameters: our mistake
	RefusedState       Kind = "state"       // it does not fit how things stand: the entry is charged already, the charge is not paid
	RefusedFunds       Kind = "funds"       // the merchant's account is short of what is to be refunded
	RefusedPayer       Kind = "payer"       // the payer's account is closed or blocked
	RefusedInput       Kind = "input"       // the provider takes the request for malformed: our mistake or the settings
	RefusedCredentials Kind = "credentials" // it does not accept our signature or account: an operator's matter
	RefusedNoBill      Kind = "no-bill"     // nothing was paid or refunded on the day
	RefusedNotReady    Kind = "not-ready"   // the day's bill is still being made
)

// Refusal is the cause of a *wire.Error of fate Refused.
type Refusal struct {
	Kind  Kind
	Field string // the member at fault in the provider's words, "" where it is not said; never its value
}

// Error returns the kind and the field.
func (r *Refusal) Error() string {
	if r.Field == "" {
		return string(r.Kind)
	}
	return string(r.Kind) + " at " + r.Field
}

// RefusalOf returns why the provider refused, and "" for every error that is no refusal.
func RefusalOf(err error) Kind {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok || e.Fate != wire.Refused {
		return ""
	}
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Kind
	}
	return ""
}

// kindOf returns what a published code means; "": it is not known, and so is the outcome. Several spellings are in use.
func kindOf(code string) Kind {
	switch code {
	case "RULE_LIMIT", "RULELIMIT":
		return RefusedLimit
	case "FREQUENCY_LIMITED", "FREQUENCY_LIMIT_EXCEED", "RATELIMIT_EXCEEDED", "RATE_LIMITED":
		return RefusedBusy
	case "NOT_FOUND", "ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS", "REFUND_NOT_EXISTS":
		return RefusedNotFound
	case "OUT_TRADE_NO_USED", "ALREADY_EXISTS":
		return RefusedOtherUse
	case "INVALID_REQUEST", "TRADE_ERROR", "ORDER_CLOSED", "ORDERCLOSED", "ORDERPAID":
		return RefusedState
	case "NOT_ENOUGH":
		return RefusedFunds
	case "USER_ACCOUNT_ABNORMAL", "ACCOUNT_ERROR", "ACCOUNTERROR":
		return RefusedPayer
	case "PARAM_ERROR":
		return RefusedInput
	case "SIGN_ERROR", "NO_AUTH", "MCH_NOT_EXISTS", "APPID_MCHID_NOT_MATCH", "MCHID_NOT_EXIST", "APPID_NOT_EXIST":
		return RefusedCredentials
	case "NO_STATEMENT_EXIST":
		return RefusedNoBill
	case "STATEMENT_CREATING":
		return RefusedNotReady
	}
	return ""
}

// wireError is the body of a refusal. detail.value may repeat what was sent, and is not read.
type wireError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  struct {
		Field string `json:"field"`
	} `json:"detail"`
}

// refusal reads a 4xx that is proven to be the provider's.
func refusal(a wire.Answer) *wire.Error {
	var w wireError
	if !a.Decode(&w) {
		return a.Unknown(wire.ReasonGarbage)
	}
	e := a.Refused(w.Code, w.Message)
	kind := kindOf(w.Code)
	switch {
	case e.Code == "":
		return a.Unknown(wire.ReasonGarbage)
	case kind == "": // SYSTEM_ERROR, BANK_ERROR, and whatever will be new
		e.Fate, e.Reason = wire.Unknown, wire.ReasonStatus
		return e
	}
	e.Cause = &Refusal{Kind: kind, Field: fieldOf(w.Detail.Field)}
	return e
}

// fieldOf returns the name of a member where it is one, so that it can stand in a log line.
func fieldOf(s string) string {
	if len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./$[]") != "" {
		return ""
	}
	return s
}

// unproven is the error of an answer that may be anybody's.
func unproven(a wire.Answer, why error) *wire.Error {
	e := a.Unknown(ReasonSignature)
	e.Cause = why
	return e
}
