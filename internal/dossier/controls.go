package dossier

// Control says which line of the export bears on which requirement. Texts of
// requirements are shortened to what they ask; sources stand in docs/evidence.md.
type Control struct {
	Requirement, Asks, Where, Not string
}

// Controls are those that this export bears on, and no more.
func Controls() []Control {
	return []Control{
		{"SOC 2, information produced by the entity (AT-C 205.36)", "complete and accurate: its source, its query, gaps in sequence or time",
			"header (period, scope, tool, who asked), credential (those without a run included), entry (numbered without a gap, each with its proof), summary (counts)", "whether rekey.yaml names every credential that you have"},
		{"SOC 2 CC6.1 and following, logical access", "credentials are issued, changed and taken away under control",
			"run: actor, reason, ticket, confirmed, old, new, old_one_denied", "that the actor is who the operating system says"},
		{"ISO/IEC 27001:2022 A.5.17", "authentication information is managed through its life",
			"credential: owner, cadence, rotated, due; run: what was made, where it was stored, what was ended", "how people keep passwords of their own"},
		{"ISO/IEC 27001:2022 A.8.15", "logs tell who, what and when, and are protected",
			"entry, with its proof; the checkpoint, and the copies of it that others hold", "logs of the systems that use the credential"},
		{"ISO/IEC 27001:2022 A.8.24", "keys are changed and destroyed as planned",
			"credential: cadence, due, overdue; run: ending, proofs of retirement", "the strength of what the vendor issues"},
		{"PCI DSS 4.0.1 8.6.3", "passwords of application and system accounts are changed at the frequency that a risk analysis sets, and upon suspicion",
			"credential: cadence, rotated, overdue; run: purpose and reason (scheduled, compromise, offboarding)", "the risk analysis, and who approved the interval"},
		{"PCI DSS 4.0.1 requirement 10", "who, what kind, when, with which outcome, from where, on what; logs cannot be altered unseen",
			"run and entry; actor names user and machine; checkpoints", "keeping them for 12 months: that is your retention"},
	}
}
