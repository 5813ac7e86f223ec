/* pool.c - shares of the subnet, and names, for eras to come; see pool.h.
 *
 * Held back is the top sixteenth of the subnet, in every era the upper half of what was held back in
 * the one before. The lower half, let go by an era, is that era's share: nobody was ever granted an
 * address of it, however many eras before. (A share that comes round again would not do: who got an
 * address there eras ago still has it.) A small subnet has none left after some eras; newcomers wait
 * then. Of names, those that end in "-e" and a number are the share of the era with that number. */
#include "dht/pool.h"

#include "dht/change.h"

/* Whoever learned of the era, but not yet of its settings, does not know when it began. */
bool pool_is_settling(const struct settings *s, uint32_t era, uint64_t wall)
{
	return era > 0 && (s->number / POOL_ERA_NUMBERS < era ||
			   wall < s->era_began + change_lease_wait(LEASE_SECONDS_ALONE));
}

static bool has_shares(const struct prefix *subnet, const struct reg_name *name)
{
	return name->len == 4 && subnet->bits <= POOL_BITS_MAX;
}

/* Of the uppermost addresses: so many that no era up to this one has let go. */
static bool is_held_back(const struct prefix *subnet, uint32_t era, const struct reg_name *name)
{
	uint32_t host = UINT32_MAX >> subnet->bits, most = host / POOL_SHARES + 1;
	struct ip ip = { .len = 4 };

	memcpy(ip.b, name->b, 4);
	return host - (ip_to_v4(&ip) & host) < (era < 32 ? most >> era : 0);
}

static enum reg_status address_answer(const struct pool *p, const struct reg_name *name)
{
	if (!has_shares(&p->subnet, name))
		return p->settling ? REG_BUSY : REG_OK;
	if (is_held_back(&p->subnet, p->era, name))
		return REG_OWNED;
	return p->settling && !is_held_back(&p->subnet, p->era - 1, name) ? REG_OWNED : REG_OK;
}

size_t pool_name_stem(const struct reg_name *name, uint32_t *era)
{
	size_t at = name->len;
	uint64_t value = 0, unit = 1;

	*era = 0;
	for (; at > 0 && name->b[at - 1] >= '0' && name->b[at - 1] <= '9' && unit < 1000000000;
	     unit *= 10)
		value += unit * (uint64_t)(name->b[--at] - '0');
	if (at == name->len || at < 3 || name->b[at] == '0' || name->b[at - 1] != 'e' ||
	    name->b[at - 2] != '-')
		return name->len;
	*era = (uint32_t)value;
	return at - 2;
}

static enum reg_status name_answer(const struct pool *p, const struct reg_name *name)
{
	uint32_t era;

	pool_name_stem(name, &era);
	if (era > p->era)
		return REG_OWNED;
	return p->settling && era != p->era ? REG_OWNED : REG_OK;
}

enum reg_status pool_answer(const struct pool *p, const struct reg_name *name)
{
	return name->kind == REG_ADDRESS ? address_answer(p, name) : name_answer(p, name);
}

enum reg_status pool_claim(const struct settings *s, uint32_t era, uint64_t wall,
			   const struct reg_name *name)
{
	struct pool p = { s->subnet, era, pool_is_settling(s, era, wall) };

	return pool_answer(&p, name);
}
