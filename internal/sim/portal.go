package sim

// PortalCredential is a credential of rekey.yaml that a person makes in the portal by hand;
// its times are short.
const PortalCredential = `  PORTAL_KEY:
    cadence: 90d
    issuer:
      vendor: portal
      kind: portal-key
      name: console-<date>
      create: ["New key, named {name}, with the right to read."]
      revoke: ["Find {name}, Delete."]
      headers: {Authorization: "Bearer {value}"}
    validate: [{url: "https://portal.example.com/v1/me"}]
    store: {vendor: infisical, path: /MooseQuest/portal/, environment: prod, slots: {<name>: "{value}"}}
    consumers: [{vendor: heroku, app: raxx-console-prod, grace: 80ms, slots: {<name>: "{value}"}}]
    timing: {poll: 50ms, quiet: 100ms, watch: 100ms, confirm: 2s}
`
