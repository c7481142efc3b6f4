// SPDX-License-Identifier: Apache-2.0

package assess

// clause is a requirement, in our words.
type clause struct {
	Standard, Number string
	Asks             string
	checks           []check // all must be met
}

// ID is the standard and the clause's number, as in docs/compliance.md.
func (c clause) ID() string { return c.Standard + " " + c.Number }

// The standards.
const (
	finance    = "JR/T 0184-2020"
	baseline   = "GB/T 39786-2021" // level 3
	blockchain = "GM/T 0111-2021"
)

// clauses are those that cryptography has a part in. docs/compliance.md has the same list, with tests.
var clauses = []clause{
	{finance, "6.2.4", "devices that compute and keep keys are approved", []check{keys, organisational}},
	{finance, "6.3.2", "traffic between nodes is protected against reading, changing and replay", []check{transport}},
	{finance, "7.2", "the ledger shows tampering", []check{chain}},
	{finance, "7.5", "sensitive data are stored encrypted; CA keys are kept secret", []check{storage, keys}},
	{finance, "7.8", "national algorithms encrypt what travels", []check{transport}},
	{finance, "8.1", "national algorithms everywhere", []check{transport, identities, chain, approved}},
	{finance, "8.1 hashes", "national algorithms in hashes of single values", []check{ledgerHashes}},
	{finance, "8.1 module", "computations and keys are in a module tested to GB/T 37092", []check{module}},
	{finance, "8.2", "session keys are agreed on; what is sensitive is encrypted before it is stored", []check{transport, storage}},
	{finance, "8.3", "integrity of data that travel and are stored", []check{transport, chain}},
	{finance, "8.4", "authenticity by signatures", []check{identities}},
	{finance, "8.5", "nobody can deny what he signed", []check{identities}},
	{finance, "8.6", "random numbers pass GB/T 32915", []check{approved}},
	{finance, "8.7", "keys are managed by GM/T 0054 through their whole life", []check{keys}},
	{finance, "9.1", "nodes are admitted; what they say is confidential and whole", []check{transport, identities}},
	{finance, "9.2", "nodes authenticate each other", []check{transport, identities}},
	{finance, "9.3", "integrity of messages by national algorithms", []check{transport}},
	{finance, "9.4 key agreement", "both ends agree on a working key by national algorithms, and authenticate each other first", []check{transport}},
	{finance, "9.4 secure connection", "the connection is made by national techniques", []check{transport}},
	{finance, "10.1", "nobody changes or breaks the ledger without the right to", []check{chain, identities}},
	{finance, "10.3", "sensitive data of the ledger are confidential, their keys apart and in a module", []check{storage, keys}},
	{finance, "10.7", "who did what to the ledger, failures too", []check{events}},
	{finance, "11.2", "consenters are authenticated, and bound to an identifier", []check{identities, transport}},
	{finance, "11.4 bounded time", "consensus is final in bounded time although orderers are malicious", []check{finality}},
	{finance, "11.4 agreement", "honest orderers come to one result although others lie", []check{finality}},
	{finance, "11.6", "malicious nodes cannot forge a state", []check{chain, identities}},
	{finance, "13.7", "users are authenticated by national algorithms", []check{identities}},
	{finance, "13.8 identifiers", "nodes have identifiers, with roles, that an authority gave", []check{identities}},
	{finance, "13.8 authentication", "nodes authenticate each other by national algorithms; failures end a connection and are bounded", []check{identities, transport}},
	{finance, "13.10.2", "keys of identities are managed; they can be changed and destroyed", []check{keys}},
	{finance, "13.10.3 algorithms", "algorithms and devices by GM/T 0045", []check{keys, organisational}},
	{finance, "13.10.3 clients' keys", "keys of users are in devices", []check{organisational}},
	{finance, "13.11.2", "changes of identities and accounts can be audited, failures too", []check{events}},
	{finance, "15.6", "a regulator's rules are part of contracts", []check{organisational}},
	{baseline, "8.1", "access and records of buildings", []check{organisational}},
	{baseline, "8.2 a", "both ends of a connection are authenticated", []check{transport}},
	{baseline, "8.2 b", "integrity of what travels", []check{transport}},
	{baseline, "8.2 c", "confidentiality of what travels", []check{transport}},
	{baseline, "8.2 d", "integrity of access rules at the border of the network", []check{organisational}},
	{baseline, "8.2 e", "devices from outside are authenticated", []check{organisational}},
	{baseline, "8.3 a", "who logs in to machines", []check{organisational}},
	{baseline, "8.3 b", "remote management is protected", []check{transport}},
	{baseline, "8.3 c", "integrity of access rights on machines", []check{organisational}},
	{baseline, "8.3 d", "integrity of security labels on machines", []check{organisational}},
	{baseline, "8.3 e", "integrity of logs", []check{organisational}},
	{baseline, "8.3 f", "integrity and origin of programs", []check{organisational}},
	{baseline, "8.4 a", "users are authenticated", []check{identities}},
	{baseline, "8.4 b", "integrity of access rights in the application", []check{identities, chain}},
	{baseline, "8.4 c", "integrity of security labels of information", []check{organisational}},
	{baseline, "8.4 d", "confidentiality of important data that travel", []check{transport}},
	{baseline, "8.4 e", "confidentiality of important data that are stored", []check{storage}},
	{baseline, "8.4 f", "integrity of important data that travel", []check{transport}},
	{baseline, "8.4 g", "integrity of important data that are stored", []check{chain}},
	{baseline, "8.4 h", "acts cannot be denied", []check{identities}},
	{baseline, "8 products", "products tested to level 2 of GB/T 37092 or more", []check{module}},
	{baseline, "8.5 to 8.8", "rules, people, building, emergencies", []check{organisational}},
	{blockchain, "7.1", "algorithms by their standards", []check{transport, identities, chain, approved}},
	{blockchain, "7.2", "digital signatures", []check{identities}},
	{blockchain, "7.3", "security of cryptographic devices", []check{keys, module}},
	{blockchain, "7.4", "management of keys", []check{keys}},
	{blockchain, "7.5", "management of certificates", []check{identities}},
	{blockchain, "7.6", "security of data", []check{transport, chain, storage}},
	{blockchain, "7.7", "security of the consensus protocol", []check{finality}},
	{blockchain, "7.8", "security of contracts", []check{organisational}},
	{blockchain, "8.1", "registration of users", []check{organisational}},
	{blockchain, "8.2", "real names", []check{organisational}},
	{blockchain, "8.3", "transactions are signed when they are made", []check{identities}},
	{blockchain, "8.4", "transactions are verified", []check{identities}},
	{blockchain, "8.5", "blocks are chained by SM3 and signed", []check{chain, identities}},
	{blockchain, "8.6", "transactions off the chain", []check{organisational}},
	{blockchain, "8.7", "identities of nodes and users are managed", []check{identities}},
	{blockchain, "8.8", "supervision of transactions", []check{organisational}},
}
