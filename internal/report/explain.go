package report

import (
	"fmt"
	"sort"
	"strings"

	"rekey/internal/rotation"
)

// Topic explains one word or code: what it means, and what to do.
type Topic struct {
	Word string
	Text string
}

// topics are the words of the program and the codes of its refusals.
var topics = map[string]string{
	"credential":         "A named thing that is rotated (CF_ACCESS_SVC_CONSOLE), with its former names. Everything written for the name is written for the former names too, in the same write.",
	"issuer":             "The vendor surface that makes and revokes the credential.",
	"handle":             "What the issuer shows of one issue of a credential, none of it secret: its id, its client id, its name, when it expires.",
	"bundle":             "The secret fields of a credential: client_id and client_secret, or a token. Rekey has them in memory only, and writes them to store and consumers only.",
	"store":              "Where the truth about a credential is kept, with history: Infisical, Vault. There may be several (stores in rekey.yaml): the first is the truth, and the others are given what it holds, before any consumer is.",
	"driver":             "Everything that Rekey knows of one vendor. One of your own is a program in any language: rekey driver new NAME writes one that works, and rekey driver test tries it. docs/drivers.md.",
	"slot":               "One place that holds a value: a key in the store, a config var of an app.",
	"consumer":           "Something that uses the credential and must be switched: a Heroku app, or a stage of a pipeline, from which review apps and test runs are made.",
	"admission":          "The vendor's rule that accepts a token: an Access policy or group. Rules name a token by its id, so a new token is in none until it is added, and the old one cannot be deleted before it is removed from all.",
	"probe":              "A check that answers accepted, denied, or could not tell. An address that accepts anybody proves nothing, so it is asked without any credential and with a made-up one first. Where rekey.yaml names no address, an issuer that verifies its credentials itself is asked instead.",
	"fingerprint":        "A keyed hash of a value (HMAC-SHA256 under a key of this installation): the only trace of a value that is ever shown. Equal values have equal fingerprints.",
	"plan":               "What will be done. `rekey plan NAME --out FILE` writes it down; `rekey run FILE` carries out exactly that, or refuses if anything has changed since.",
	"journal":            "What was meant and what happened: an intent before every change, its outcome after. An intent without an outcome means that it may have happened; Rekey looks before it acts again.",
	"run":                "One execution of a plan. It can be killed at any moment; `rekey resume` goes on.",
	"intent":             "The journal's entry before a change. With the intent to delete the old credential, going back ends.",
	"stuck":              "The run cannot go on by itself and says what is live, where, and the next command. Nobody has lost access: both credentials may be live. Fix what it names, then `rekey resume RUN`.",
	"rolled back":        "Every consumer and the store hold the old credential again, and the new one is gone.",
	"revoked":            "Taken away in an emergency (rekey revoke): switched off or deleted, and denied at the protected address. Its consumers have none that works until `rekey run NAME --after-revoke` gives them a new one.",
	"rehearsed":          "The procedure was practised at the real vendors on a throwaway credential, in a folder of its own, and everything was cleaned up (rekey rehearse).",
	"quiet":              "Unused: before the old credential is revoked, the issuer must not have seen it in use for a while (timing.quiet). If it is still seen, something that is not registered uses it.",
	"grace":              "How long old processes of a consumer may live on after new ones run: 30s on Heroku, 3m with preboot. Rekey waits that long before it takes the old credential away.",
	"checkpoint":         "A signed line about the whole journal: how many entries there are, and one hash over all of them (a Merkle tree). Once it has left this machine (evidence.checkpoints: a file elsewhere, a webhook, a slot of a store), nothing before it can be edited, left out or cut off unseen, not even by whoever has this machine. `rekey verify --checkpoint FILE --key KEY` says what is proven; docs/evidence.md says how others check it with tools of their own.",
	"evidence":           "What was done, by whom, why, and with which proof, for somebody who was not there: rekey evidence --from DATE --to DATE. Every run and every drift ends with a checkpoint; rekey verify checks journal and exports offline.",
	"generation":         "One issue of a credential: before a rotation the old one, after it the new one. Both are live side by side until the old one is shown to be unused.",
	"gate":               "What protects an address and asks for the credential, as Cloudflare Access does. Rekey asks the address without any credential, with a made-up one, and with the real one.",
	"policy":             "The vendor's rule that says which tokens an address accepts. It names tokens by id, so a new token is added to every policy that names the old one, and the old one is removed before it is deleted.",
	"rule":               "The vendor's rule that says which tokens an address accepts: a policy, or a group that policies include. rekey discover lists them.",
	"rotate":             "Make a new credential, prove it, store it, deploy it to every consumer, prove that each runs on it, and revoke the old one: rekey run NAME.",
	"revoke":             "Take a credential away now, whoever uses it: rekey revoke NAME. With --plan it shows who would be without one.",
	"roll back":          "Give every consumer and the store the old credential again, and delete the new one: rekey rollback RUN, until the point of no return. With --plan it shows what that would do.",
	"rehearse":           "Practise the procedure at the real vendors on a throwaway credential, in a folder of its own: rekey rehearse NAME.",
	"point of no return": "The intent to delete the old credential. Until there everything can be undone (rekey rollback); from there a run only goes forward.",
	"simulated":          "Done on simulated vendors (simulate: in rekey.yaml): nothing of it is real. Simulated runs are marked everywhere, have a journal of their own, and are never mixed with real ones.",
	"settle":             "Waiting until everything in a consumer runs on the new credential: the release has ended, and no process of before it is left.",
	"admit":              "Add the new credential to the rules (policies, groups) that name the old one.",
	"dismiss":            "Remove the old credential from the rules (policies, groups) that name it.",
	"apply":              "Make what was written to a store or a consumer take effect, where that is a step of its own: a restart, a rollout. Killed between the two, a run has written, and applies when it goes on; applying twice does no harm.",
	"reapply":            "On the way back: make the old values, which were written again, take effect.",
	"propagate":          "Deploy the new credential to a consumer, in one write for all its names, so that it restarts once.",
	"roll":               "Give the same token another secret in place, instead of making a second one beside it (issuer.strategy: roll). See: strategy.",
	"doctor":             "rekey doctor says all at once what is missing on this machine: variables, tools, the journal's folder, hosts, clocks. It sends no credential.",
	"undated":            "The issuer does not tell when the credential in use was made, so nobody knows when it is due. A rotation by Rekey dates it.",
	"report":             "What a run amounts to, read from the journal: how it ended, what is live, and the proof.",
	"refresh":            "Cloudflare's Refresh extends the expiry and keeps the secret. It is not a rotation, and Rekey never uses it as one.",
	"exit codes":         "0 done; 1 error, nothing was changed; 2 usage or rekey.yaml; 3 rolled back; 4 stuck; 5 waiting for a person; 6 something has drifted (drift, status --fail-if), is due (status --fail-if), or was found (discover); 10 the journal does not verify; 11 locked: another run is open.",

	rotation.NothingStored:        "The store holds none of the slots, so there is no credential to replace. Put the one in use there by hand once; from then on Rekey keeps it.",
	rotation.StoreDrift:           "A store that follows the first one (stores in rekey.yaml) does not hold what the first one holds: somebody changed it, or the first. Rotating would overwrite that unseen. rekey drift says which holds what; rekey repair gives it what the first holds, or with --from the other way round.",
	rotation.StoreTorn:            "Inconsistent: the slots of the store do not belong to one credential: a new secret beside an old client id, or a former name that somebody forgot. Rotating over it would hide which one is in use. Set the slot that differs to the value of the others.",
	rotation.StoreUnwritable:      "A slot cannot be written safely: the vendor's own rotation manages it, its value may not be read, or its name stands there twice.",
	rotation.StoreRule:            "The store has a rule about values that the run would meet: one that refuses values it has held before makes a rollback impossible, one that refuses a value which another name holds refuses former names. Both would show only once something was made, so the run does not start.",
	rotation.EndRefused:           "The issuer was asked what will fail at the end of the run, and named something: no right to drop the old one, objects that it owns. Everybody would have been switched by then, so the run does not start.",
	rotation.NoHistory:            "The store did not give back an earlier value when it was asked for one. Without that a rollback could not restore it, so the run does not start.",
	rotation.NotIssued:            "What the store holds belongs to none of the credentials that the issuer lists as live: it was deleted, or the store holds something else. Rekey never guesses which one to delete.",
	rotation.SwitchedOff:          "The credential in the store is switched off at the issuer, so nobody can be using it.",
	rotation.Expired:              "The credential in the store has expired at the issuer: whoever holds it is denied. rekey run NAME --after-revoke makes a new one without demanding that its consumers work before.",
	rotation.PlaceStuck:           "A rule names the token where a second one beside it would not do the same: under require, where both would be needed, or in a SCIM configuration.",
	rotation.ConsumerDrift:        "A consumer does not hold what the store holds: somebody changed it, or a rollback of its release brought an old value back; then the release and whoever made it are named. Rotating would overwrite that unseen.",
	rotation.ConsumerUnwell:       "A consumer is unwell before the run, so its health after the run would prove nothing.",
	rotation.OpenDoor:             "The address answers without a credential, or with a made-up one. That it accepts a new credential proves nothing.",
	rotation.GateUnclear:          "The address refuses, but not in the way that what protects it does: a firewall, an error page, a redirect elsewhere. It cannot tell a good credential from a bad one.",
	rotation.RunTaken:             "What a run makes bears its label (run and attempt), by which it is found again if an answer was lost. The issuer lists something with this label that the journal does not know, so the journal was restored to an earlier state, or somebody else uses the same label. Look what is in use with rekey check; what nobody uses can be deleted at the issuer.",
	rotation.GateElsewhere:        "The address is protected, but by an application on which the rules that name this credential do not decide. That it accepts or denies a token says nothing about those rules.",
	rotation.GateDenies:           "From here, the address denies even the credential in use, although the issuer knows it. Its rules demand something else too (a network, a device), or no longer name it. A new one could not be proven there, so the run would go back.",
	rotation.CheckFalse:           "A check of the procedure is not true before anything was changed. An expired cookie or a renamed site looks like this.",
	"strategy":                    "How a credential is replaced. replace: a second credential beside the first, then the first is revoked. roll with grace: the same token gets a new secret, and the old secret works on for a set time. roll at once: the old secret is dead with the first step. The issuer's capability sheet says which are possible; the plan shows the point of no return of each.",
	rotation.NoStrategy:           "The issuer cannot do what rekey.yaml asks for under issuer.strategy.",
	rotation.SelfRoll:             "This is the token by which Rekey itself works. Rolling it ends its value with the answer that carries the next one: were that answer lost, nobody could get in any more. With replace a second one is made and proven before this one ends.",
	"drift":                       "Issuer, store and consumers do not hold the same credential. rekey drift compares them by fingerprint and names the command that fixes each disagreement; rekey repair carries it out.",
	"repair":                      "Every place that has drifted is given what the store holds (or, with --from, what the place named holds), after the protected address has accepted that. Nothing is made and nothing is revoked. What is overwritten is kept nowhere, so it asks first.",
	"revived":                     "A consumer holds a credential that was replaced before: somebody rolled its release back, or set an old value by hand. If that one is revoked, the consumer has none that works.",
	"store-ahead":                 "The store was given another credential by hand, and consumers go on with the one that they had. rekey repair gives them what the store holds.",
	"consumer-ahead":              "A consumer was given another live credential by hand, and the store was not. Either is made to follow the other: rekey repair NAME, or with --from the other way round.",
	"store-behind":                "A store that follows the first one holds another live credential than the first. Either is made to follow the other: rekey repair NAME, or with --from KEY the other way round.",
	"store-changed":               "A store that follows the first one holds something that neither the first nor the journal knows. Ask who set it; rekey repair gives it what the first holds.",
	"consumer-changed":            "A consumer holds something that neither the store nor the journal knows. Ask who set it; rekey repair gives it what the store holds.",
	"names-differ":                "The credential's name and a former name hold different credentials in one place: somebody wrote one and forgot the other.",
	"slot-missing":                "A slot that rekey.yaml names is not there. rekey repair makes it.",
	"rule-lost":                   "A rule that accepted the credential in use, as the journal of an earlier run knows, does not name it any more: another program or person wrote the rule from an older copy. Addresses behind that rule deny it. rekey repair adds it again.",
	"rule-shut":                   "Every rule that accepted the credential in use is gone, and none that is left accepts it. Rekey makes no rules: add it to one by hand.",
	"rule-stray":                  "A rule names a credential that was revoked. That has no effect, but whoever wrote it had an older copy: look whether the one in use is named there too.",
	"former name":                 "A name that a credential had before. Every slot is written for it too, until nobody reads it any more; then rekey names retire NAME takes it away, watching the checks.",
	"name retired":                "A former name was taken out of every consumer and, after a watch in which nothing broke, out of the store. Take it out of former in rekey.yaml too: the next rotation would write it again.",
	"name-retired":                "A run took this former name away everywhere, and rekey.yaml still has it under former, so the next rotation or repair would write it again.",
	rotation.NameRead:             "Another secret of the store refers to the former name (${NAME}), so whoever reads that reads it.",
	rotation.NameAbsent:           "No place holds anything under the former name.",
	rotation.NameInstead:          "A place holds the former name and not the name itself. Taking it away would leave it without the credential.",
	rotation.NothingToRepair:      "Every place holds what it should, so a repair would write nothing.",
	rotation.NoSource:             "The place from which a repair would take the credential does not hold all fields of it.",
	"assisted":                    "A vendor whose credentials only a person can make, in a portal. Rekey gives the name, the link and the instructions, takes the value from a hidden prompt or from stdin, and does everything else by itself. A person's word is not proof: the protected address is asked.",
	rotation.GraceRunning:         "The token was rolled before, and the secret before its present one still works for a while. Rolling again would end that secret, which somebody may still use.",
	rotation.MadeNotSeen:          "A run that was begun before was taken up again, and its journal knows of no plan and of nothing made. Usually there was none yet; after a journal was restored to an earlier state there may be. The issuer could not be asked for its list, so nobody knows whether something with this run's label lives on. Look with rekey check once the issuer answers: what bears our name and is not known is named there.",
	rotation.DoneNotKnown:         "An emergency was begun before, its journal was restored to an earlier state and shows nothing done, and a person asked to go back. The credential is switched off now. By whom is not known, so it is left as it is: if it is to work again, switch it on at the issuer.",
	rotation.NotSeen:              "Something that a run needs could not be looked at: the message says which vendor refused or did not answer. Nothing is begun before everything was seen.",
	rotation.PlanChanged:          "Something has changed at the vendors or in rekey.yaml since the plan was made. What was reviewed is not what would be done.",
	rotation.UnregisteredConsumer: "Something holds the credential and is not among its consumers in rekey.yaml: an app, a stage of a pipeline, or a slot of a registered one that rekey.yaml does not name. It would be left with a dead one, so a run does not take the old one away. Register it (rekey discover prints the lines), take the value out there, or name it with --despite, which is recorded. Looked at when the plan is made, and again just before anything is taken away; discover: off in rekey.yaml leaves that out.",
	rotation.UnknownPlace:         "A place that --despite names holds nothing of the credential, so the word is wrong, or not needed. Names are written as rekey discover writes them: vendor, colon, app.",
	"survey":                      "The check for other holders: who else in the consumers' accounts holds the old credential, by what their config vars hold. What could not be read counts as not seen, never as nobody.",
	"stored-copy":                 "Another folder or environment of the store holds the credential. Whoever reads it there is left with a dead one when it is rotated. A run does not stop for it: nothing runs in a store.",
	"earlier-copy":                "A place holds the value of an earlier credential, known by the fingerprints of the journal. If it is dead, it can be cleaned up; if it is live, somebody goes on with what should have been revoked.",
	"orphan":                      "Left over: it bears the label of a run, or of a rehearsal, that is over, and no credential of rekey.yaml claims it. Something broke off at the wrong moment, and nobody resumed the run.",
	"unclaimed":                   "It lives at the issuer and no credential of rekey.yaml claims it: the one that nobody rotates.",
	"named":                       "Only the public half stands there (a client id). That place knows the credential; whether it has it cannot be told by that.",
	"discover":                    "rekey discover finds who holds a credential without being registered, what lives at the issuer unclaimed, what runs left behind, and which rules accept each credential. It compares values in memory, by fingerprint, and shows none.",
}

// Explain returns the topic of a word, or the nearest ones.
func Explain(word string) (string, bool) {
	if text, ok := topics[strings.ToLower(word)]; ok {
		return fmt.Sprintf("%s\n  %s\n", word, text), true
	}
	return "known are: " + strings.Join(Topics(), ", ") + "\n", false
}

// Topics lists all words and codes.
func Topics() []string {
	out := make([]string, 0, len(topics))
	for w := range topics {
		out = append(out, w)
	}
	sort.Strings(out)
	return out
}
