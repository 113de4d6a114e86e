package github

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/box"

	"rekey/internal/cred"
	"rekey/internal/provider"
	"rekey/internal/secret"
	"rekey/internal/vendorhttp"
)

// place is one consumer.
type place struct {
	*Account
	settings Settings
	path     string // of its secrets
	repo     string // of the repository; "": an organisation
}

// maxValue is the longest secret in bytes
// [docs.github.com/actions/reference/security/secrets: limits for secrets].
const maxValue = 48 << 10

// perPage is the most that a list gives at once.
const perPage = 100

// kept is one secret as it is told: everything but its value.
type kept struct {
	Name       string    `json:"name"`
	Created    time.Time `json:"created_at"`
	Updated    time.Time `json:"updated_at"`
	Visibility string    `json:"visibility"` // of an organisation's
}

// Calls tells the request that changes something.
func (p *place) Calls() map[string]string {
	return map[string]string{"write": "PUT " + p.path + "/{name}, one for each name"}
}

// list returns all secrets by name in capitals, as GitHub keeps them. A page that is
// not whole, or that says of more than come, is not believed.
func (p *place) list(ctx context.Context) (map[string]kept, error) {
	out := map[string]kept{}
	err := p.pages(ctx, "list secrets", p.path, url.Values{}, func(resp *vendorhttp.Response) (int, error) {
		var l struct {
			Total   *int   `json:"total_count"`
			Secrets []kept `json:"secrets"`
		}
		if err := resp.Decode(&l); err != nil {
			return 0, err
		}
		if l.Total == nil || l.Secrets == nil {
			return 0, resp.Nonsense(misshapen)
		}
		for _, k := range l.Secrets {
			if k.Name == "" || k.Updated.IsZero() {
				return 0, resp.Nonsense("a secret in the answer has no name, or no date")
			}
			out[strings.ToUpper(k.Name)] = k
		}
		if len(l.Secrets) < perPage && len(out) < *l.Total {
			return 0, resp.Nonsense(fmt.Sprintf("it lists %d of %d secrets", len(out), *l.Total))
		}
		return len(l.Secrets), nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

const misshapen = "the answer lacks what GitHub documents of it"

// pages reads a list to its end: read is handed one page after the other, and returns how
// many entries it had. One that is not full is the last.
func (p *place) pages(ctx context.Context, op, path string, q url.Values, read func(*vendorhttp.Response) (int, error)) error {
	q.Set("per_page", strconv.Itoa(perPage))
	for page := 1; ; page++ {
		q.Set("page", strconv.Itoa(page))
		resp, err := p.api.Do(ctx, vendorhttp.Request{Op: op, Method: http.MethodGet, Path: path, Query: q})
		if err != nil {
			return err
		}
		if n, err := read(resp); err != nil || n < perPage {
			return err
		}
	}
}

// Held tells of each slot whether it is there and when it was last written; its value
// is told to nobody.
func (p *place) Held(ctx context.Context, slots []string) (map[string]provider.Held, error) {
	all, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	return held(all, slots), nil
}

func held(all map[string]kept, slots []string) map[string]provider.Held {
	out := make(map[string]provider.Held, len(slots))
	for _, s := range slots {
		k, there := all[strings.ToUpper(s)]
		h := provider.Held{Present: there, Hidden: there}
		if there {
			h.Version, h.Written = mark(k.Updated), k.Updated.UTC()
		}
		out[s] = h
	}
	return out
}

// mark orders writes: whole seconds, as GitHub tells them.
func mark(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Write seals each value with the place's public key and puts it. Only GitHub can open
// it. It is one request a name: where one fails, those before it are written.
func (p *place) Write(ctx context.Context, values []provider.SlotValue) error {
	var reach map[string]access
	for _, v := range values {
		if v.Value.Present() && len(v.Value.Reveal()) > maxValue {
			return &cred.Error{Vendor: p.api.Vendor, Op: "write secrets", Class: cred.Refused, Why: fmt.Sprintf("%s is longer than the %d bytes that GitHub takes; nothing was written", v.Slot, maxValue)}
		}
	}
	key, err := p.publicKey(ctx)
	if err == nil && p.repo == "" {
		reach, err = p.reach(ctx, values)
	}
	if err != nil {
		return err
	}
	for _, v := range values {
		if !v.Value.Present() {
			if err := p.remove(ctx, v.Slot); err != nil {
				return err
			}
			continue
		}
		sealed, err := seal(p.env.Random, key, v.Value)
		if err != nil {
			return &cred.Error{Vendor: p.api.Vendor, Op: "seal " + v.Slot, Class: cred.Refused, Why: err.Error()}
		}
		body := map[string]any{"encrypted_value": sealed, "key_id": key.ID}
		if a, of := reach[v.Slot]; of {
			body["visibility"] = a.visibility
			if a.visibility == "selected" {
				body["selected_repository_ids"] = a.repositories
			}
		}
		if err := p.change(ctx, "write", v.Slot, http.MethodPut, body); err != nil {
			return err
		}
	}
	return nil
}

// change sends one change. It was made where GitHub says 201 or 204, which are the only
// answers that it documents: a 200 is of something on the way.
func (p *place) change(ctx context.Context, what, slot, method string, body any) error {
	resp, err := p.api.Do(ctx, vendorhttp.Request{Op: what + " secret " + slot, Method: method, Path: p.path + "/" + url.PathEscape(slot), Body: body})
	if err == nil && resp.Status != http.StatusCreated && resp.Status != http.StatusNoContent {
		err = resp.Nonsense("GitHub answers 201 or 204 to this")
	}
	return err
}

// remove takes a secret away; that there is none is what is wanted.
func (p *place) remove(ctx context.Context, slot string) error {
	err := p.change(ctx, "delete", slot, http.MethodDelete, nil)
	if cred.ClassOf(err) != cred.Absent {
		return err
	}
	// GitHub says the same where the token may not see the place: the list decides.
	all, look := p.list(ctx)
	if _, there := all[strings.ToUpper(slot)]; look != nil || there {
		return err
	}
	return nil
}

// publicKey seals for one place, and changes now and then.
type publicKey struct {
	ID  string `json:"key_id"`
	Key string `json:"key"`
}

func (p *place) publicKey(ctx context.Context) (publicKey, error) {
	var k publicKey
	resp, err := p.api.Do(ctx, vendorhttp.Request{Op: "read the public key", Method: http.MethodGet, Path: p.path + "/public-key"})
	if err != nil {
		return k, err
	}
	if err := resp.Decode(&k); err != nil {
		return k, err
	}
	if b, err := base64.StdEncoding.DecodeString(k.Key); err != nil || len(b) != 32 || k.ID == "" {
		return k, resp.Nonsense("it is not a public key")
	}
	return k, nil
}

// seal makes a sealed box as libsodium's crypto_box_seal
// [docs.github.com/rest/guides/encrypting-secrets-for-the-rest-api].
func seal(random io.Reader, key publicKey, v secret.Value) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	b, err := base64.StdEncoding.DecodeString(key.Key)
	if err != nil || len(b) != 32 {
		return "", fmt.Errorf("the public key is none")
	}
	sealed, err := box.SealAnonymous(nil, []byte(v.Reveal()), (*[32]byte)(b), random)
	if err != nil {
		return "", fmt.Errorf("there is no randomness")
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}
