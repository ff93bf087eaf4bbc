package operation

import (
	"time"

	"plimsoll/release/delivery"
)

// deliverLimit bounds one attempt to deliver; the command has its own, shorter limit.
const deliverLimit = delivery.Limit + 10*time.Second

// promotion is the list of steps of a promotion.
func promotion() []step {
	return []step{
		{name: "look", words: "look at prod and its ledger", phase: looking, do: look},
		{name: "judge", words: "read the evidence again", phase: looking, do: judge},
		{name: "resume", words: "look whether prod is as it was", phase: checking, do: asItWas},
		{name: "identity", words: "get the promote identity", phase: writing, do: mayPush},
		{name: "copy", words: "copy the image", phase: writing, do: copyImage},
		{name: "evidence", words: "copy its evidence", phase: writing, do: copyEvidence},
		{name: "read-back", words: "read prod back", phase: writing, do: readBack},
		{name: "release-tag", words: "put the release tag", phase: writing, done: tagged, do: putTag},
		{name: "summary", words: "attach the verification summary", phase: writing, done: summarized, do: attachSummary},
		{name: "policy", words: "write down the policy", phase: writing, done: policyKept, do: keepPolicy},
		{name: "record", words: "write the record", phase: writing, done: recorded, do: writeRecord},
		{name: "look-again", words: "look once more", phase: checking, do: lookAgain},
		{name: "move", words: "move the channel", phase: moving, do: move},
		{name: "deliver", words: "deliver", phase: finishing, limit: deliverLimit, done: delivered, do: deliver},
		{name: "complete", words: "complete the record", phase: finishing, done: completed, do: complete},
		{name: "lock", words: "lock it in prod", phase: finishing, do: lock},
		{name: "others", words: "close what others left", phase: finishing, do: closeOthers},
		{name: "audit", words: "note it in the audit chain", phase: finishing, done: audited, do: audit},
	}
}
