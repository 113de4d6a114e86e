package main

import "github.com/spf13/cobra"

// exitCode is one of the program's exit codes. They are a contract: a number keeps
// its meaning.
type exitCode struct {
	Code  int    `json:"code"`
	Means string `json:"means"`
}

func exitCodes() []exitCode {
	return []exitCode{
		{exitDone, "done"},
		{exitFailed, "an error, and nothing was changed; or something could not be read"},
		{exitUsage, "wrong usage, or a mistake in rekey.yaml"},
		{exitRolledBack, "rolled back: everybody has the old credential, the new one is gone"},
		{exitStuck, "stuck: what is live and the next command are printed"},
		{exitWaiting, "waiting for a person, or interrupted; rekey resume goes on"},
		{exitNeeds, "drift, something due, something found, or a copy that differs"},
		{exitEvidence, "the journal or an export does not verify"},
		{exitLocked, "another run is open, or another process works on it"},
		{exitKilled, "interrupted twice: ended at once; rekey resume goes on"},
	}
}

// exitKilled is what a second interruption ends with.
const exitKilled = 130

// contract is what a command promises: how it is called, how it can end.
type contract struct {
	Examples []string
	Exits    []int
}

// contracts of all commands, by their path.
func contracts() map[string]contract {
	looks := []int{exitDone, exitFailed, exitUsage}
	runs := []int{exitDone, exitFailed, exitUsage, exitRolledBack, exitStuck, exitWaiting, exitLocked, exitKilled}
	finds := []int{exitDone, exitFailed, exitUsage, exitNeeds}
	const name = "CF_ACCESS_SVC_CONSOLE"
	return map[string]contract{
		"rekey":                   {[]string{"rekey demo", "rekey run " + name}, nil},
		"rekey init":              {[]string{"rekey init", "rekey init --yes", "rekey init --simulate http://127.0.0.1:7777"}, looks},
		"rekey lint":              {[]string{"rekey lint"}, looks},
		"rekey doctor":            {[]string{"rekey doctor", "rekey doctor " + name}, looks},
		"rekey check":             {[]string{"rekey check " + name}, looks},
		"rekey plan":              {[]string{"rekey plan " + name, "rekey plan " + name + " --out plan.json"}, looks},
		"rekey run":               {[]string{"rekey run " + name + " --reason scheduled --ticket OPS-1", "rekey run " + name + " --confirm " + name, "rekey run plan.json"}, runs},
		"rekey rehearse":          {[]string{"rekey rehearse " + name + " --plan", "rekey rehearse " + name}, runs},
		"rekey revoke":            {[]string{"rekey revoke " + name + " --plan", "rekey revoke " + name + " --reason 'laptop stolen'"}, runs},
		"rekey resume":            {[]string{"rekey resume", "rekey resume 35sp4b --verbose"}, runs},
		"rekey rollback":          {[]string{"rekey rollback 35sp4b --plan", "rekey rollback 35sp4b --reason 'the app broke'"}, runs},
		"rekey status":            {[]string{"rekey status", "rekey status --live --fail-if due,drift"}, finds},
		"rekey schedule":          {[]string{"rekey schedule", "rekey schedule --days 90"}, looks},
		"rekey schedule pause":    {[]string{"rekey schedule pause --reason 'change freeze'"}, looks},
		"rekey schedule continue": {[]string{"rekey schedule continue --reason 'the vendor is back'"}, looks},
		"rekey approvals":         {[]string{"rekey approvals"}, looks},
		"rekey approve":           {[]string{"rekey approve " + name, "rekey approve 35sp4b --confirm " + name}, []int{exitDone, exitFailed, exitUsage, exitWaiting}},
		"rekey notify":            {[]string{"rekey notify test"}, looks},
		"rekey notify test":       {[]string{"rekey notify test", "rekey notify test oncall"}, looks},
		"rekey refuse":            {[]string{"rekey refuse 35sp4b --reason 'not this week'"}, looks},
		"rekey drift":             {[]string{"rekey drift", "rekey drift " + name}, finds},
		"rekey repair":            {[]string{"rekey repair " + name + " --plan", "rekey repair " + name}, runs},
		"rekey discover":          {[]string{"rekey discover"}, finds},
		"rekey findings":          {[]string{"rekey findings", "rekey findings " + name + " --all"}, finds},
		"rekey acknowledge":       {[]string{"rekey acknowledge 3f9a1c02bd --reason 'moves in March' --until 2027-03-31", "rekey acknowledge 3f9a1c02bd --take-back"}, looks},
		"rekey names":             {[]string{"rekey names"}, looks},
		"rekey names retire":      {[]string{"rekey names retire CF_ACCESS_SERVICE_TOKEN_CONSOLE"}, runs},
		"rekey journal":           {[]string{"rekey journal backup journal.backup"}, looks},
		"rekey journal move":      {[]string{"rekey journal move --to env:REKEY_DATABASE"}, looks},
		"rekey journal key":       {[]string{"rekey journal key --new"}, looks},
		"rekey journal backup":    {[]string{"rekey journal backup journal.backup"}, looks},
		"rekey log":               {[]string{"rekey log", "rekey log 35sp4b"}, looks},
		"rekey verify":            {[]string{"rekey verify", "rekey verify --export evidence/evidence.jsonl --key KEY"}, []int{exitDone, exitFailed, exitUsage, exitEvidence}},
		"rekey checkpoint":        {[]string{"rekey checkpoint"}, []int{exitDone, exitFailed, exitUsage, exitEvidence}},
		"rekey checkpoint key":    {[]string{"rekey checkpoint key"}, looks},
		"rekey evidence":          {[]string{"rekey evidence --from 2026-01-01 --out evidence"}, []int{exitDone, exitFailed, exitUsage, exitEvidence}},
		"rekey sop":               {[]string{"rekey sop " + name, "rekey sop --out procedures", "rekey sop " + name + " --check docs/console.md"}, finds},
		"rekey explain":           {[]string{"rekey explain stuck"}, looks},
		"rekey token":             {[]string{"rekey token list"}, looks},
		"rekey token create":      {[]string{"rekey token create nightly --may look,rotate --credentials 'CF_*'"}, looks},
		"rekey token list":        {[]string{"rekey token list"}, looks},
		"rekey token revoke":      {[]string{"rekey token revoke nightly"}, looks},
		"rekey token rotate":      {[]string{"rekey token rotate --server https://rekey.example.com"}, looks},
		"rekey login":             {[]string{"rekey login https://rekey.example.com"}, looks},
		"rekey logout":            {[]string{"rekey logout https://rekey.example.com"}, looks},
		"rekey whoami":            {[]string{"rekey whoami", "rekey whoami --can"}, looks},
		"rekey demo":              {[]string{"rekey demo"}, runs},
		"rekey serve":             {[]string{"rekey serve", "rekey serve --demo"}, looks},
		"rekey sim":               {[]string{"rekey sim --listen 127.0.0.1:7777"}, looks},
		"rekey completion":        {[]string{"rekey completion bash"}, looks},
		"rekey schema":            {[]string{"rekey schema > rekey.schema.json"}, looks},
		"rekey driver":            {[]string{"rekey driver new acme"}, looks},
		"rekey driver describe":   {[]string{"rekey driver describe ./rekey-driver-acme > rekey-driver-acme.json"}, looks},
		"rekey driver test":       {[]string{"rekey driver test ./rekey-driver-acme"}, looks},
		"rekey driver new":        {[]string{"rekey driver new acme"}, looks},
		"rekey version":           {[]string{"rekey version"}, looks},
	}
}

// contractOf is the command's, or of the one whose part it is.
func contractOf(c *cobra.Command) contract {
	for ; c.HasParent(); c = c.Parent() {
		if made, known := contracts()[c.CommandPath()]; known {
			return made
		}
	}
	return contracts()[c.CommandPath()]
}
