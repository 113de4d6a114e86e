package notify

import (
	"context"
	"encoding/json"
	"strings"

	"rekey/internal/secret"
)

// slack is an incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
type slack struct {
	poster
	to secret.Value
}

// escape: Slack takes these three for its own signs, and no others
// (https://docs.slack.dev/messaging/formatting-message-text).
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (c slack) send(ctx context.Context, n Notice) error {
	mark := ""
	if n.Page {
		mark = ":rotating_light: "
	}
	text := mark + "*" + escape.Replace(n.Title) + "*"
	if n.Text != "" {
		text += "\n" + escape.Replace(n.Text)
	}
	if n.Next != "" {
		text += "\n`" + escape.Replace(strings.ReplaceAll(n.Next, "`", "'")) + "`"
	}
	if n.Link != "" {
		text += "\n" + escape.Replace(n.Link)
	}
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return err
	}
	return c.post(ctx, c.to, "application/json", nil, body, slackTaken, slackWords)
}

// slackTaken: a webhook answers ok; one of a workflow answers {"ok":true}.
func slackTaken(answer []byte) bool {
	var said struct {
		OK bool `json:"ok"`
	}
	return strings.TrimSpace(string(answer)) == "ok" || json.Unmarshal(answer, &said) == nil && said.OK
}

// slackWords are what Slack answers instead (section "Handling errors" of the page above).
var slackWords = map[string]string{
	"invalid_payload":                   "Slack rejects the message (invalid_payload)",
	"invalid_token":                     "Slack does not know this webhook (invalid_token): make a new one",
	"no_active_hooks":                   "the webhook is switched off (no_active_hooks): make a new one",
	"no_service":                        "the webhook no longer exists (no_service): make a new one",
	"no_service_id":                     "the address is not that of a webhook (no_service_id)",
	"no_team":                           "Slack does not know the workspace of the address (no_team)",
	"team_disabled":                     "the workspace is switched off (team_disabled)",
	"user_not_found":                    "the user that the webhook posts to does not exist (user_not_found): make a new one",
	"channel_not_found":                 "the channel that the webhook posts to does not exist (channel_not_found): make a new one",
	"channel_is_archived":               "the channel that the webhook posts to is archived (channel_is_archived)",
	"action_prohibited":                 "the workspace's administrators do not let it post (action_prohibited)",
	"posting_to_general_channel_denied": "it may not post to the general channel (posting_to_general_channel_denied)",
	"rollup_error":                      "Slack could not accept it right now (rollup_error)",
}

func (slack) over(context.Context, Notice) error { return nil }
func (slack) many() bool                         { return true }
