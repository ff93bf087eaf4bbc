package doctor

import (
	"context"
	"os"
	"reflect"
	"slices"
	"time"

	"plimsoll/config"
	"plimsoll/registry"
)

// longest is how long a credential for promotions may last before it counts as long-lived.
const longest = 24 * time.Hour

// promotion looks into the identity that promotes, as far as it may be asked for.
func (e *examination) promotion(ctx context.Context) []Fact {
	entry := e.Config.Registry(e.Prod.Host)
	host := question{"promotion-identity", e.Prod.Host}
	switch {
	case entry.Promote == nil && entry.Via != nil:
		return []Fact{host.unknown("a pipeline promotes under an identity of its own, which cannot be tried from here").
			todo("run plimsoll doctor %s --with-promote in that pipeline", e.Service.Name)}
	case entry.Promote == nil:
		return []Fact{host.warning("there is no promotion identity: whoever reads %s also writes it", e.Prod.Host).
			todo("add promote under registries → %s, and take the right to push from the everyday identity", e.Prod.Host)}
	case e.Promotion == nil:
		return []Fact{host.unknown("the promotion identity (%s) was not tried", describe(entry.Promote)).
			because("it is used only where somebody says so: that may activate a role").todo("plimsoll doctor %s --with-promote", e.Service.Name), e.separate(entry, "", "", false)}
	}
	client, err := e.Promotion()
	if err != nil {
		return []Fact{host.untold(err, "the promotion identity was not asked for")}
	}
	return e.promoting(ctx, entry, client)
}

// promoting uses the promotion identity.
func (e *examination) promoting(ctx context.Context, entry config.Registry, client *registry.Client) []Fact {
	who := "the promotion identity (" + describe(entry.Promote) + ")"
	var accepted bool
	remedy := "or correct registries → " + e.Prod.Host + " → promote"
	if entry.Promote.Azure != nil {
		remedy = "activate the role first if it is one for the occasion (Azure PIM), " + remedy
	}
	facts := each([]registry.Repository{e.Prod, e.Ledger}, func(repo registry.Repository) Fact {
		g := e.try(ctx, client, repo)
		if repo == e.Prod {
			accepted = g.granted
		}
		return question{"promotion-write", repo.String()}.must(g, who, "let it push to "+repo.String()+", "+remedy)
	})
	everyday, _ := e.Reader.Identity(e.Prod.Host)
	subject, ends := client.Identity(e.Prod.Host)
	facts = append(append(facts, e.promotingStaging(ctx, entry, client, who, accepted)...), e.lifetime(entry, subject, ends))
	return append(facts, e.separate(entry, everyday, subject, accepted))
}

// promotingStaging proves that the promotion identity cannot write staging. Its
// password is sent to no host that it is not for.
func (e *examination) promotingStaging(ctx context.Context, entry config.Registry, client *registry.Client, who string, accepted bool) []Fact {
	q := question{"promotion-staging", e.Staging.String()}
	other := e.Config.Registry(e.Staging.Host)
	if e.Staging.Host != e.Prod.Host && !travels(entry.Promote, other) {
		return []Fact{q.unknown("%s is of %s and is not shown to %s, so it was not tried there", who, e.Prod.Host, e.Staging.Host).
			todo("see to it that no such account may push to %s", e.Staging)}
	}
	if e.Staging.Host != e.Prod.Host {
		client = client.Beside(func(o *registry.Options) {
			was := o.Registries
			o.Registries = func(host string) config.Registry {
				r := asSource(was(host), entry)
				r.Promote = entry.Promote
				return r
			}
		})
		defer client.Close()
	}
	g := e.try(ctx, client, e.Staging)
	if g.granted && entry.Promote.Docker && e.Staging.Host != e.Prod.Host {
		return []Fact{q.warning("docker's credential for %s may write there; whether that is the same account as in %s cannot be told", e.Staging.Host, e.Prod.Host).
			because("%s", g.how()).todo("give the promotion an identity of its own, not docker's")}
	}
	f := q.mustNot(g, who, accepted, "take its right to push to staging away: who promotes must not be able to make what is promoted")
	if e.Staging.Host == e.Prod.Host {
		return []Fact{f} // it has to import there
	}
	return append([]Fact{f}, e.around(ctx, "promotion-import", who, client, e.Staging)...)
}

// travels tells whether an identity means something to another registry: a
// cloud's does in its other registries, docker has one for each, a password
// only where the configuration says that it is the same.
func travels(id *config.Identity, other config.Registry) bool {
	for _, o := range []*config.Identity{other.Read, other.Evidence, other.Promote} {
		switch {
		case id.Docker:
			return true
		case o == nil:
		case id.Azure != nil && o.Azure != nil, id.AWS != nil && o.AWS != nil:
			return true
		case id.Username != "" && o.Username == id.Username && o.PasswordEnv == id.PasswordEnv:
			return true
		}
	}
	return nobody(id)
}

// lifetime says how long the promotion identity lasts.
func (e *examination) lifetime(entry config.Registry, subject string, ends time.Time) Fact {
	q := question{"promotion-lifetime", e.Prod.Host}
	left := ends.Sub(e.Now).Round(time.Minute)
	name := subject
	if name == "" {
		name = describe(entry.Promote)
	}
	switch {
	case entry.Promote.Username != "":
		return q.warning("the promotion identity is a static password").
			because("%s with the password in $%s, valid until somebody changes it", name, entry.Promote.PasswordEnv).
			todo("use a credential that is issued for the occasion, or change the password often")
	case entry.Promote.Docker:
		return q.warning("the promotion identity is what docker has stored, for as long as it has it").
			todo("use a credential that is issued for the occasion, or docker logout %s after each promotion", e.Prod.Host)
	case nobody(entry.Promote):
		return q.broken("the promotion identity is anonymous").todo("name one under registries → %s → promote", e.Prod.Host)
	case standing(entry.Promote):
		return q.warning("behind the promotion identity stands an application's secret, valid until somebody changes it").
			because("only the tokens of %s end, this one in %s", name, span(left)).
			todo("federate the identity: workload-identity, azure-pipelines, or cli in a job that a federated login signs in; see docs/azure.md")
	case ends.IsZero():
		return q.unknown("how long the credential of %s lasts was not said", name)
	case left > longest:
		return q.warning("the credential of %s lasts %s", name, span(left)).todo("shorten it to what a promotion takes")
	}
	return q.ok("the credential of %s ends in %s", name, span(left)).because("at %s", ends.UTC().Format(time.RFC3339))
}

// standing tells whether an identity of Azure is proved by a secret or certificate of the environment.
func standing(id *config.Identity) bool {
	return id.Azure != nil && slices.Contains(id.Azure.Methods(), "environment") &&
		(os.Getenv("AZURE_CLIENT_SECRET") != "" || os.Getenv("AZURE_CLIENT_CERTIFICATE_PATH") != "")
}

// separate tells whether the identities of every day are someone else than the promotion
// identity: by the names that the registry's cloud gives them, else as they are configured.
// A person's own login in Azure that may not write now may do so once a role is activated.
func (e *examination) separate(entry config.Registry, everyday, promoting string, writes bool) Fact {
	q := question{"promotion-separate", e.Prod.Host}
	remedy := "promote with an identity that nobody uses every day"
	if everyday != "" && promoting != "" {
		switch {
		case everyday == promoting && !writes && entry.Promote.Azure != nil:
			return q.warning("the everyday and the promotion identity are the same: %s", everyday).
				because("it may not write now; while a role is activated for it, everything that uses its login may write prod").
				todo("activate the role for as short as a promotion takes, or let a pipeline promote: via, see docs/promote.md")
		case everyday == promoting:
			return q.broken("the everyday and the promotion identity are the same: %s", everyday).todo("%s", remedy)
		}
		return q.ok("the everyday identity is %s, the promotion identity %s", everyday, promoting)
	}
	if nobody(entry.Promote) {
		return q.broken("the promotion identity is nobody: anonymous").todo("%s", remedy)
	}
	var alike []Fact
	for _, id := range []*config.Identity{entry.Read, entry.Evidence} {
		switch {
		case nobody(id):
		case reflect.DeepEqual(id, entry.Promote), id.Username != "" && id.Username == entry.Promote.Username:
			return q.broken("the everyday and the promotion identity are the same: %s", describe(id)).todo("%s", remedy)
		case id.Username == "" || entry.Promote.Username == "":
			alike = append(alike, q.unknown("%s and %s may be the same; their names were not said", describe(id), describe(entry.Promote)).
				todo("run with --with-promote, or compare the two accounts"))
		}
	}
	if len(alike) > 0 {
		return alike[0]
	}
	return q.ok("the everyday identity (%s) is another than the promotion identity (%s)", describe(entry.Read), describe(entry.Promote))
}
