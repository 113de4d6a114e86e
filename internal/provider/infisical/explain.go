package infisical

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/vendorhttp"
)

// answer is the server's error shape. Name is a class name, an operation or a
// sentence, so it is matched only where that was recorded.
type answer struct {
	Status  int             `json:"statusCode"`
	Message json.RawMessage `json:"message"`
	Name    string          `json:"error"`
	Details json.RawMessage `json:"details"`
}

// text is the message, if it is one; of a failed validation it is a list.
func (a answer) text() (out string) {
	_ = json.Unmarshal(a.Message, &out)
	return out
}

// own reports whether an answer outside 2xx is in the server's error shape.
func own(r *vendorhttp.Response) bool {
	var a answer
	return r.IsJSON() && json.Unmarshal(r.Body, &a) == nil && a.Status == r.Status && a.Name != "" && len(a.Message) > 0
}

// notApplied are refusals of a write that depend on the request alone, or on what
// the write itself does not change: were it sent twice on the way, the first would
// have been refused as well. "Secret already exists" and "does not exist" are none,
// and neither is a rule about values that were held before.
func notApplied(r *vendorhttp.Response) bool {
	var a answer
	_ = json.Unmarshal(r.Body, &a)
	text := a.text()
	starts := func(what string) bool { return strings.HasPrefix(text, what) }
	switch r.Status {
	case http.StatusUnauthorized:
		return a.Name == "ValidationFailure"
	case http.StatusBadRequest:
		return starts("Encrypted secret metadata is enforced") || starts("The identity does not have universal auth") ||
			starts("Secret validation failed") && !strings.Contains(text, "reuse") && !strings.Contains(text, "uplicate")
	case http.StatusNotFound:
		return starts("Route ") || starts("Folder with path") || starts("Environment with slug") || starts("Project with ID") || a.Name == "SecretPathNotFound"
	}
	return false
}

// codes by which an Absent error tells what is not there, and a refusal which it is.
const (
	noRoute       = "route"
	noFolder      = "folder"
	noSecret      = "secret"
	noProject     = "project"
	noIdentity    = "identity"
	revokedLogin  = "revoked"
	wantEncrypted = "encrypted-metadata"
)

const noSuchLogin = "there is no such machine identity, or no such client secret of it"

// explain refines the class of an answer by the server's error shape, and gives the
// server's own reason where that may be shown.
func (s *Server) explain(status int, body []byte) (class cred.Class, code, why string) {
	var a answer
	if json.Unmarshal(body, &a) != nil {
		return "", "", ""
	}
	text := a.text()
	says := s.said.reason(a)
	and := func(ours string) string { return strings.TrimSuffix(ours+"; "+says, "; ") }
	switch status {
	case http.StatusUnauthorized:
		switch {
		case a.Name == "ValidationFailure": // servers of 2024; 422 today
			return cred.Refused, a.Name, and("the server finds the request invalid")
		case text == "Invalid credentials":
			return cred.Denied, "", "client id or client secret is wrong"
		case strings.Contains(text, "temporarily locked"):
			// Whoever it was that failed to log in: it opens again by itself.
			return cred.Limited, "locked", "the identity is locked for everybody after failed logins, by default for five minutes; it opens again by itself"
		case strings.Contains(text, "client secret has been revoked"):
			return cred.Denied, revokedLogin, "the client secret that the access token came from has been revoked, and its access tokens with it"
		}
		return cred.Denied, "", says
	case http.StatusForbidden:
		switch {
		case a.Name == "TokenError":
			return cred.Denied, a.Name, "the access token is malformed or has expired"
		case strings.Contains(text, "get-token"):
			return cred.Denied, "", and("client secrets, an identity's own too, want the permission get-token on identities in the organization, which a plain member lacks")
		case strings.Contains(text, "more privileged"): // servers of 2024
			return cred.Denied, "", "the identity that is meant has more rights than the one that Rekey uses"
		case strings.HasPrefix(a.Name, "Identity is not a member of"):
			return cred.Denied, "", "the machine identity is not a member of the project"
		case a.Name == "PermissionDenied":
			return cred.Denied, a.Name, and("the machine identity may not do this here")
		}
		return cred.Denied, "", says
	case http.StatusNotFound:
		return absent(a, text, says)
	case http.StatusUnprocessableEntity:
		return cred.Refused, "ValidationFailure", and("the server finds the request invalid")
	case http.StatusBadRequest:
		if strings.HasPrefix(text, "Encrypted secret metadata is enforced") {
			code = wantEncrypted
		}
		return cred.Refused, code, says
	case http.StatusTooManyRequests:
		return cred.Limited, "", "the rate limit of this address is used up" // it counts by address, not by identity
	}
	return vendorhttp.ClassOfStatus(status), "", strings.TrimSuffix(says, `the server says: "Something went wrong"`)
}

// absent are the 404s that are known of Infisical. Another one says nothing.
func absent(a answer, text, says string) (cred.Class, string, string) {
	starts := func(what ...string) bool {
		return slices.ContainsFunc(what, func(w string) bool { return strings.HasPrefix(text, w) })
	}
	switch {
	case starts("Route "):
		return cred.Absent, noRoute, "the server has no such route; is it an Infisical server?"
	case starts("Folder with path"), a.Name == "SecretPathNotFound":
		return cred.Absent, noFolder, "there is no such folder, or no such environment"
	case starts("Environment with slug"):
		return cred.Absent, noFolder, "there is no such environment"
	case starts("Secret with name"):
		return cred.Absent, noSecret, "there is no such secret, or not in this version"
	case starts("Project with ID"):
		return cred.Absent, noProject, "there is no such project"
	case starts("Failed to find universal auth"):
		return cred.Absent, noIdentity, "the machine identity has no Universal Auth"
	case starts("Failed to find identity", "Client secret with ID"):
		// Today the same is said of an unknown client secret.
		return cred.Absent, noIdentity, noSuchLogin
	case starts("No identity with specified client ID"): // servers of 2024
		return cred.Denied, "", "client id or client secret is wrong"
	case starts("Secret does not exist", "One or more secrets does not exist"):
		return cred.Absent, "", says
	}
	return cred.Unknown, "", strings.TrimSuffix("not an answer that Infisical is known to give; "+says, "; ")
}

// absentWhat returns which thing an Absent error is about.
func absentWhat(err error) string {
	if e, ok := cred.AsError(err); ok && e.Class == cred.Absent {
		return e.Code
	}
	return ""
}

// issues are what the server finds wrong with a request: where, and why. What was
// received stands there as well, and is not taken.
func issues(raw json.RawMessage) string {
	var list []struct {
		Path    []any  `json:"path"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(raw, &list)
	var out []string
	for _, x := range list {
		at := make([]string, len(x.Path))
		for i, p := range x.Path {
			at[i] = fmt.Sprint(p)
		}
		out = append(out, strings.TrimPrefix(strings.Join(at, ".")+": "+x.Message, ": "))
	}
	return strings.Join(out, "; ")
}
