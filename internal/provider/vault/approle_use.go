package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/sop"
	"rekey/internal/vendorhttp"
)

// spendable: of so few uses as this none can be spent on proofs.
const spendable = 100

// lookup asks which secret id a value is, without using it up and without a login that
// could be refused. None: an empty accessor.
func (a *secretIDs) lookup(ctx context.Context, v secret.Value) (secretID, error) {
	const op = "look at a secret id"
	var x secretID
	empty, err := a.call(ctx, vendorhttp.Request{Op: op, Method: http.MethodPost, Reads: true, Body: map[string]string{"secret_id": v.Reveal()}}, "/secret-id/lookup", &x)
	if err == nil && !empty && x.Accessor == "" {
		err = a.problem(op, cred.Unknown, "the answer lacks the accessor")
	}
	if codeOf(err) == noLogin { // its accessor is gone, and it was ended by being asked for
		return secretID{}, nil
	}
	return x, err
}

// Owner asks which one a stored value is.
func (a *secretIDs) Owner(ctx context.Context, b secret.Bundle, _ []cred.Handle) (string, error) {
	if !b[FieldSecretID].Present() {
		return "", nil
	}
	if id := b[FieldRoleID]; id.Present() {
		role, err := a.roleID(ctx)
		if err != nil {
			return "", err
		}
		if !id.Equal(role) {
			return "", a.problem("find which secret id is stored", cred.Refused, "the role id that is stored is not that of the role "+a.settings.Role)
		}
	}
	x, err := a.lookup(ctx, b[FieldSecretID])
	return x.Accessor, err
}

// Probe asks which one it is, and logs in only with one that there is: five refused
// logins within 15 minutes lock the role for everybody who uses it.
func (a *secretIDs) Probe(ctx context.Context, p sop.Probe, b secret.Bundle) (cred.Verdict, string, error) {
	const op = "log in to see whether it works"
	if err := a.Elsewhere(p, a.api.Vendor, op, "a secret id", "Vault"); err != nil {
		return cred.Unclear, "", err
	}
	if !b[FieldSecretID].Present() {
		return cred.Rejected, "without a secret id no login is tried, since refused ones lock the role", nil
	}
	role, err := a.roleID(ctx)
	if err != nil {
		return cred.Unclear, "no answer", err
	}
	x, err := a.lookup(ctx, b[FieldSecretID])
	switch {
	case err != nil:
		return cred.Unclear, "no answer", err
	case x.Accessor == "":
		return cred.Rejected, "Vault has no such secret id; no login is tried, since refused ones lock the role", nil
	case !x.Expires.IsZero() && x.handle().Expired(a.session.env.Now()):
		return cred.Unclear, "its time is over by our clock, and it has not been cleared away", nil
	case x.Uses > 0 && x.Uses < spendable:
		return cred.Unclear, fmt.Sprintf("it can be used %d times more, so no login was spent on it", x.Uses), nil
	}
	granted, err := login(ctx, a.session.api, op, a.settings.Mount, role, b[FieldSecretID])
	switch e, _ := cred.AsError(err); {
	case err == nil:
		_ = endToken(ctx, a.session.api, granted.Token)
		return cred.Accepted, "logged in", nil
	case e.Code == noLogin:
		return cred.Rejected, "the login was refused", nil
	case e.Code == "cidr":
		return cred.Unclear, "refused from this address, which proves nothing: it may be used from others", nil
	case e.Code == noPolicy:
		return cred.Unclear, "403 to a login: the role is locked after refused ones, and opens again by itself", nil
	}
	return cred.Unclear, "no answer", err
}

// Wrong makes up one that Vault never issued.
func (a *secretIDs) Wrong() secret.Bundle {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	h := hex.EncodeToString(b)
	return secret.Bundle{FieldSecretID: secret.New(strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"))}
}

// Self is the accessor of the secret id that Rekey itself logs in with, where that is
// of this role.
func (a *secretIDs) Self(ctx context.Context) (string, error) {
	if len(a.session.conn.Token) > 0 || a.session.conn.LoginMount != a.settings.Mount {
		return "", nil
	}
	id, key, _, err := a.session.with(ctx)
	if err != nil {
		return "", a.problem("find which secret id is our own", cred.Unsent, err.Error())
	}
	role, err := a.roleID(ctx)
	if err != nil || !id.Equal(role) {
		return "", err
	}
	x, err := a.lookup(ctx, key)
	return x.Accessor, err
}

// Adopt goes on with a secret id that has just been made; without one it goes back to
// what rekey.yaml names.
func (a *secretIDs) Adopt(b secret.Bundle) {
	a.session.mu.Lock()
	defer a.session.mu.Unlock()
	if !a.session.adopted.Equal(b[FieldSecretID]) {
		a.session.adopted, a.session.token = b[FieldSecretID], secret.Value{}
	}
}

// ForeseeEnd tells whether the token may do all that a run needs, and what the role
// makes of its secret ids.
func (a *secretIDs) ForeseeEnd(ctx context.Context, _ cred.Handle) (provider.Foreseen, error) {
	var out provider.Foreseen
	var paths []string
	for _, below := range []string{"/secret-id", "/secret-id/lookup", "/secret-id-accessor/lookup", "/secret-id-accessor/destroy"} {
		paths = append(paths, a.root+below)
	}
	missing, err := a.may(ctx, paths, "update", "create")
	if err != nil {
		return out, err
	}
	for _, p := range missing {
		out.Refused = append(out.Refused, "no policy of the token gives the capability update on "+p)
	}
	var role struct {
		Bound bool `json:"bind_secret_id"`
		Uses  int  `json:"secret_id_num_uses"`
		TTL   int  `json:"token_max_ttl"` // seconds; 0: the server's
	}
	_, err = a.call(ctx, vendorhttp.Request{Op: "read the role", Method: http.MethodGet}, "", &role)
	switch {
	case cred.ClassOf(err) == cred.Denied:
		out.Told = append(out.Told, "how often a secret id of the role may be used is not known, for the token may not read "+a.root)
		return out, nil
	case err != nil:
		return out, err
	case !role.Bound:
		out.Refused = append(out.Refused, "the role takes no secret ids (bind_secret_id is off)")
	case role.Uses > 0 && role.Uses < spendable:
		out.Refused = append(out.Refused, fmt.Sprintf("a secret id of the role can be used %d times (secret_id_num_uses), and every proof is a use", role.Uses))
	}
	lasts := "the server's maximum"
	if role.TTL > 0 {
		lasts = fmt.Sprintf("%d s", role.TTL)
	}
	out.Told = append(out.Told, "tokens obtained with the old secret id keep working after it is revoked, for up to "+lasts+" (token_max_ttl)")
	return out, nil
}
