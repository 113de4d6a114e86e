package vault

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// answer is Vault's error shape: a list of sentences, empty where there is nothing.
// What they say may quote what was sent ("invalid secret_id …"), so none is shown.
// https://developer.hashicorp.com/vault/api-docs#error-response
type answer struct {
	Errors *[]string       `json:"errors"`
	Data   json.RawMessage `json:"data"`
}

// codes by which an error tells what it is about.
const (
	nothing    = "nothing"    // there is nothing at this path
	deleted    = "deleted"    // there was, and this version is deleted or destroyed
	noMount    = "mount"      // nothing is mounted there
	noRole     = "role"       // there is no such AppRole
	noAccessor = "accessor"   // there is no secret id with this accessor
	noLogin    = "login"      // role id or secret id is wrong
	notCurrent = "cas"        // the check-and-set version is not the current one
	noPolicy   = "permission" // no policy of the token allows it, or the token is not valid
	sealed     = "sealed"
)

// own reports whether an answer outside 2xx is in Vault's error shape. A version that
// is deleted is answered 404 with its metadata and without errors.
func own(r *vendorhttp.Response) bool {
	var a answer
	if !r.IsJSON() || json.Unmarshal(r.Body, &a) != nil {
		return false
	}
	return a.Errors != nil || r.Status == http.StatusNotFound && len(a.Data) > 0
}

// sentences are what it says; a few are among the data instead (recorded: the look at an
// accessor that there is not).
func (a answer) sentences() []string {
	var data struct {
		Error string `json:"error"`
	}
	if a.Errors != nil {
		return *a.Errors
	}
	if _ = json.Unmarshal(a.Data, &data); data.Error != "" {
		return []string{data.Error}
	}
	return nil
}

// says reports whether any of the sentences has one of these in it.
func (a answer) says(what ...string) bool {
	return slices.ContainsFunc(a.sentences(), func(s string) bool {
		return slices.ContainsFunc(what, func(w string) bool { return strings.Contains(s, w) })
	})
}

// explain refines the class of an answer; the sentences are those of Vault 1.14, which
// OpenBao has kept.
func explain(status int, body []byte) (cred.Class, string, string) {
	var a answer
	if json.Unmarshal(body, &a) != nil {
		return "", "", ""
	}
	switch {
	case a.says("is sealed"):
		return cred.Limited, sealed, "Vault is sealed: somebody has to unseal it"
	case a.says("has been locked"):
		return cred.Limited, sealed, "this namespace of Vault is locked"
	case a.says("no handler for route"):
		return cred.Absent, noMount, "nothing is mounted there"
	case a.says("failed to find accessor entry", "invalid secret id accessor"): // 404 to a look, 500 to an end
		return cred.Absent, noAccessor, "there is no secret id with this accessor"
	case a.says(`role "`) && a.says("does not exist"): // 400, 404 or 500, by what was asked
		return cred.Absent, noRole, "there is no such AppRole"
	}
	switch status {
	case http.StatusBadRequest:
		switch {
		case a.says("check-and-set parameter did not match"):
			return cred.Conflict, notCurrent, "the secret has another version than the one that was read"
		case a.says("invalid secret id", "invalid role ID", "invalid role or secret ID", "invalid secret_id"):
			return cred.Denied, noLogin, "role id or secret id is wrong"
		case a.says("unauthorized by CIDR", "unauthorized through CIDR"):
			return cred.Denied, "cidr", "it may not be used from this address"
		case a.says("ttl cannot be longer"):
			return cred.Refused, "ttl", "expires_in is longer than the role lets a secret id live (secret_id_ttl)"
		case a.says("bind_secret_id is not set"):
			return cred.Refused, "bind", "the role takes no secret ids (bind_secret_id is off)"
		}
		return cred.Refused, "", ""
	case http.StatusForbidden:
		if a.says("preflight") {
			return cred.Denied, noPolicy, "no policy of the token gives access to this path, or nothing is mounted there"
		}
		return cred.Denied, noPolicy, "no policy of the token allows it, or the token is not valid"
	case http.StatusNotFound:
		switch {
		case len(a.Data) > 0 && a.Errors == nil:
			return cred.Absent, deleted, "this version was deleted or destroyed"
		case a.Errors != nil && len(*a.Errors) == 0:
			return cred.Absent, nothing, "there is nothing at this path"
		}
		return cred.Unknown, "", "not an answer that Vault is known to give"
	case http.StatusMethodNotAllowed:
		return cred.Refused, "", "what is mounted there cannot do this"
	case http.StatusPreconditionFailed:
		return cred.Limited, "", "this node has not caught up yet"
	case http.StatusTooManyRequests:
		return cred.Limited, "", "a quota of Vault's is used up"
	}
	return vendorhttp.ClassOfStatus(status), "", ""
}

// notApplied are refusals that depend on the request and on settings which it does not
// change: were it sent twice on the way, the first would have been refused as well. A
// check-and-set that does not match is none: the first may be what made it so.
func notApplied(r *vendorhttp.Response) bool {
	var a answer
	_ = json.Unmarshal(r.Body, &a)
	return a.says("no handler for route", "ttl cannot be longer", "num_uses cannot be", "bind_secret_id is not set") ||
		a.says(`role "`) && a.says("does not exist")
}
