/* kinds.h - the numbers of registers on the wire: kinds, verbs, states, status, rights.
 * docs/protocol.md 8.1, 8.2, 8.3, 8.5. */
#ifndef DHT_KINDS_H
#define DHT_KINDS_H

enum reg_kind {
	REG_ADDRESS = 1,
	REG_HOST_NAME = 2,
	REG_TOKEN = 3,
	REG_MEMBER = 4,
	REG_START = 5,
	REG_REVOCATION = 6,
	REG_SUCCESSOR = 7, /* the keepers' own: which configuration follows */
};

enum reg_verb {
	OP_CLAIM = 1,
	OP_RENEW = 2,
	OP_RELEASE = 3,
	OP_TRANSFER = 4,
	OP_READ = 5,
	OP_TOKEN_CREATE = 16,
	OP_TOKEN_USE = 17,
	OP_TOKEN_REVOKE = 18,
	OP_MEMBER_ENROL = 19,
	OP_MEMBER_SET = 20,
	OP_MEMBER_REVOKE = 21,
	OP_MEMBER_RENEW = 22,
	OP_REVOKE_ADD = 23,
	OP_START = 24,
	OP_SUCCEED = 25,
	OP_RESTORE = 26,
};

enum reg_state { REG_FREE = 0, REG_HELD = 1, REG_RELEASED = 2, REG_GOVERNED = 3 };

enum reg_status {
	REG_OK = 0,
	REG_OWNED = 1,
	REG_REFUSED = 2,
	REG_QUOTA = 3,
	REG_OLD = 4,
	REG_EXPIRED = 5,
	REG_REVOKED = 6,
	REG_USED_UP = 7,
	REG_UNKNOWN = 8,
	REG_NO_QUORUM = 9,
	REG_BUSY = 10,
	REG_MALFORMED = 11,
	REG_OTHER_EPOCH = 12,
	REG_FULL = 13,
	REG_SUPERSEDED = 14,
	REG_STATUS_COUNT
};

enum reg_right {
	RIGHT_KEEPER = 1 << 0,
	RIGHT_RELAY = 1 << 1,
	RIGHT_ROUTER = 1 << 2,
	RIGHT_EDGE = 1 << 3,
	RIGHT_PROXY = 1 << 4,
	RIGHT_POLICY = 1 << 5,
	RIGHT_FIXED = 1 << 6,
	RIGHT_ADMIN = 1 << 7,
};

#endif
