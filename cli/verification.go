package cli

import (
	"fmt"
	"io"
	"strings"

	"plimsoll/gates/evidence"
	"plimsoll/release"
)

// verificationText says what verify found out about a digest.
func verificationText(w io.Writer, v release.Verification) {
	word := "was promoted"
	if !v.Promoted {
		word = "was NOT promoted"
	}
	fmt.Fprintf(w, "%s %s\n", v.Reference, word)
	if v.Record != nil {
		fmt.Fprintf(w, "  by       %s\n", v.Who())
		if v.At != nil {
			fmt.Fprintf(w, "  at       %s\n", moment(*v.At))
		}
		if v.Identity != nil {
			fmt.Fprintf(w, "  as       %s\n", identityText(*v.Identity))
		}
		fmt.Fprintf(w, "  from     %s\n  service  %s\n  record   %s\n  policy   %s%s\n", v.From, v.Service, v.Record, orDash(v.Policy), signatureText(v))
	}
	if len(v.Overrides) > 0 {
		fmt.Fprintf(w, "  OVERRIDE %s by %s: %s\n", strings.Join(v.Overrides, ", "), v.By, v.Reason)
	}
	checks(w, v.Checks)
	if v.InProd {
		fmt.Fprintln(w, "  in prod now")
	}
	if v.RolledBackSince {
		fmt.Fprintln(w, "  ROLLED BACK since")
	}
	if v.Quarantined != "" {
		fmt.Fprintf(w, "  QUARANTINED: %s\n", v.Quarantined)
	}
	for _, problem := range v.Problems {
		fmt.Fprintf(w, "  problem  %s\n", problem)
	}
}

// identityText names who wrote to prod's registry, and until when they could.
func identityText(p evidence.Principal) string {
	text := p.Subject + " at " + p.Registry
	if !p.ExpiresOn.IsZero() {
		text += ", until " + moment(p.ExpiresOn)
	}
	return text
}

// signatureText says whether owners vouch for the policy.
func signatureText(v release.Verification) string {
	switch {
	case v.PolicySigned:
		return ", signed by " + orDash(v.PolicyBy)
	case v.PolicyFound:
		return ", signed by no owner"
	}
	return ", not found"
}

// auditText says what the audit found.
func auditText(w io.Writer, r release.AuditReport) {
	fmt.Fprintf(w, "audit chain of this machine: %d entries, head %s\n", r.Entries, orDash(r.Head))
	if r.Verified {
		fmt.Fprintln(w, "everything holds")
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(w, "PROBLEM  %s\n", problem)
	}
}
