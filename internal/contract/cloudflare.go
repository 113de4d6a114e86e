package contract

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

//go:embed testdata/cloudflare.openapi.json
var cloudflareJSON []byte

//go:embed testdata/github.openapi.json
var githubJSON []byte

const cloudflareBase = "/client/v4"

// openAPI is a contract that is an OpenAPI 3.0 document.
type openAPI struct {
	vendor, base string
	failure      string // pointer to the shape of all errors, where operations do not list theirs; "": they do
	router       routers.Router
	raw          *document
}

var (
	cloudflareContract = sync.OnceValue(func() *openAPI { return readOpenAPI("cloudflare", cloudflareBase, "", cloudflareJSON) })
	// GitHub's is cut from @octokit/openapi 23.0.2, github/rest-api-description: the
	// operations that are used, without descriptions and examples.
	githubContract = sync.OnceValue(func() *openAPI { return readOpenAPI("github", "", "#/components/schemas/basic-error", githubJSON) })
)

func readOpenAPI(vendor, base, failure string, text []byte) *openAPI {
	raw, err := parse(text)
	if err != nil {
		panic(err)
	}
	repair(raw.root)
	mended, err := json.Marshal(raw.root)
	if err != nil {
		panic(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(mended)
	if err != nil {
		panic(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	return &openAPI{vendor: vendor, base: base, failure: failure, router: router, raw: raw}
}

// repair fixes what no answer or request could satisfy. The id in the path of an
// API token has an empty schema, which the validator cannot read; and refusals of
// API tokens are declared as all of a success and a failure, of which one says
// success is true and the other false.
func repair(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["in"] == "path" {
			if s, _ := v["schema"].(map[string]any); s["$ref"] == "#/components/schemas/iam_schemas-identifier" {
				v["schema"] = map[string]any{"type": "string", "maxLength": 32}
			}
		}
		if all, _ := v["allOf"].([]any); len(all) > 1 {
			for _, s := range all {
				m, _ := s.(map[string]any)
				if ref, _ := m["$ref"].(string); strings.HasSuffix(ref, "-common-failure") {
					delete(v, "allOf")
					v["$ref"] = ref
					break
				}
			}
		}
		for _, x := range v {
			repair(x)
		}
	case []any:
		for _, x := range v {
			repair(x)
		}
	}
}

// request is the exchange's request, fresh, as the validator wants it.
func (x Exchange) request() *http.Request {
	req := &http.Request{Method: x.Method, URL: x.URL, Header: x.Header.Clone(), Host: x.URL.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if x.Body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(x.Body)), int64(len(x.Body))
	}
	return req
}

func (c *openAPI) route(x Exchange) (*routers.Route, map[string]string, error) {
	return c.router.FindRoute(x.request())
}

func (c *openAPI) operation(x Exchange) (string, bool) {
	route, _, err := c.route(x)
	if err != nil {
		return c.vendor + " " + x.Method + " " + strings.TrimPrefix(x.URL.Path, c.base), false
	}
	return c.vendor + " " + route.Method + " " + route.Path, true
}

func (c *openAPI) check(x Exchange, tell func(part, format string, args ...any)) {
	route, params, err := c.route(x)
	if err != nil {
		tell(partOperation, "%v", err)
		return
	}
	input := &openapi3filter.RequestValidationInput{Request: x.request(), PathParams: params, Route: route, Options: &openapi3filter.Options{
		MultiError: true, IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true,
		AuthenticationFunc: x.authenticated,
	}}
	for _, e := range flat(openapi3filter.ValidateRequest(context.Background(), input)) {
		tell(partOf(e), "%s", reason(e))
	}
	for name := range x.URL.Query() {
		if !declares(route, name) {
			tell("query", "%s is not declared", name)
		}
	}
	at := "#/paths/" + strings.ReplaceAll(route.Path, "/", "~1") + "/" + strings.ToLower(route.Method)
	if len(x.Body) > 0 {
		c.shapeOf(at+"/requestBody/content/application~1json/schema", "request body", x.Body, tell)
	}
	if x.Status == 0 || x.Status >= 500 {
		return // nothing came, or something between us and the API broke: no contract speaks of it
	}
	if c.failure != "" && x.Status >= 400 {
		c.shapeOf(c.failure, "answer", x.Answer, tell)
		return
	}
	answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: x.Status, Header: x.AnswerHeader, Options: input.Options}
	answer.SetBodyBytes(x.Answer)
	for _, e := range flat(openapi3filter.ValidateResponse(context.Background(), answer)) {
		part := "answer"
		if strings.Contains(reason(e), "status is not supported") {
			part = "status"
		}
		tell(part, "%d: %s", x.Status, reason(e))
	}
	for _, status := range []string{strconv.Itoa(x.Status), strconv.Itoa(x.Status/100) + "XX"} {
		if c.raw.at(at+"/responses/"+status+"/content") != nil {
			c.shapeOf(at+"/responses/"+status+"/content/application~1json/schema", "answer", x.Answer, tell)
			break
		}
	}
}

func (c *openAPI) shapeOf(pointer, part string, body []byte, tell func(part, format string, args ...any)) {
	if v, ok := decode(body, func(format string, args ...any) { tell(part, format, args...) }); ok {
		c.raw.shape([]any{c.raw.at(pointer)}, v, "", false, func(format string, args ...any) { tell(part, format, args...) })
	}
}

// authenticated: a request that succeeds carries what the operation asks for. One
// that does not may lack it: some are sent to see that they are denied.
func (x Exchange) authenticated(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	if x.Status < 200 || x.Status > 299 {
		return nil
	}
	header, prefix := in.SecurityScheme.Name, ""
	if in.SecurityScheme.Type == "http" {
		header, prefix = "Authorization", "Bearer "
	}
	if v := x.Header.Get(header); len(v) > len(prefix) && strings.HasPrefix(v, prefix) {
		return nil
	}
	return fmt.Errorf("no %s", in.SecuritySchemeName)
}

func declares(route *routers.Route, query string) bool {
	return slices.ContainsFunc(append(slices.Clone(route.Operation.Parameters), route.PathItem.Parameters...), func(p *openapi3.ParameterRef) bool {
		return p.Value.In == openapi3.ParameterInQuery && p.Value.Name == query
	})
}
