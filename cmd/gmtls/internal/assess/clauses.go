// SPDX-License-Identifier: Apache-2.0

package assess

// clause is a requirement, in our words.
type clause struct {
	Standard, Number string
	Asks             string
	checks           []check // all must be met
}

// ID is the standard and the clause's number, as docs/compliance.md has it.
func (c clause) ID() string { return c.Standard + " " + c.Number }

// The standards.
const (
	finance   = "JR/T 0184-2020"
	baseline  = "GB/T 39786-2021" // level 3
	inventory = "GM/T 0111-2021"
)

// clauses are those that cryptography has a part in. docs/compliance.md has the same list, with files and tests.
var clauses = []clause{
	{finance, "6.3.2", "traffic between nodes is protected against reading, changing and replay", []check{transport}},
	{finance, "7.2", "the ledger shows tampering", []check{chain}},
	{finance, "7.5", "sensitive data are stored encrypted; CA keys are kept secret", []check{storage, keys}},
	{finance, "7.8", "national algorithms encrypt what travels", []check{transport}},
	{finance, "8.1", "national algorithms everywhere", []check{transport, identities, chain, approved}},
	{finance, "8.1 hashes", "national algorithms in hashes of single values", []check{otherHashes}},
	{finance, "8.1 module", "computations and keys are in a module tested to GB/T 37092", []check{module}},
	{finance, "8.2", "session keys are agreed on; what is sensitive is encrypted before it is stored", []check{transport, storage}},
	{finance, "8.3", "integrity of data that travel and are stored", []check{transport, chain}},
	{finance, "8.4", "authenticity by signatures", []check{identities}},
	{finance, "8.5", "nobody can deny what he signed", []check{identities}},
	{finance, "8.6", "random numbers pass GB/T 32915", []check{approved}},
	{finance, "8.7", "keys are managed by GM/T 0054 through their whole life", []check{keys}},
	{finance, "9.2", "nodes authenticate each other", []check{transport, identities}},
	{finance, "9.3", "integrity of messages by national algorithms", []check{transport}},
	{finance, "9.4", "keys are agreed on and connections made by national algorithms", []check{transport}},
	{finance, "10.3", "sensitive data of the ledger are confidential, their keys apart and in a module", []check{storage, keys}},
	{finance, "11.4", "consensus is final although orderers are malicious", []check{finality}},
	{finance, "13.7", "users are authenticated by cryptography", []check{identities}},
	{finance, "13.8", "nodes have identifiers bound to their keys", []check{identities, transport}},
	{finance, "13.10.3", "keys of users are in devices", []check{organisational}},
	{finance, "15.6", "a regulator's rules are part of contracts", []check{organisational}},
	{baseline, "physical and environmental", "access and records of buildings", []check{organisational}},
	{baseline, "network: identity", "both ends of a connection are authenticated", []check{transport}},
	{baseline, "network: integrity and confidentiality", "connections are protected", []check{transport}},
	{baseline, "computing: identity and integrity", "who logs in, records, programs", []check{organisational}},
	{baseline, "application: identity", "users are authenticated", []check{identities}},
	{baseline, "application: transfer", "important data are confidential and whole while they travel", []check{transport}},
	{baseline, "application: storage", "important data are confidential and whole where they are stored", []check{storage, chain}},
	{baseline, "application: non-repudiation", "acts cannot be denied", []check{identities}},
	{baseline, "products", "certified products of level 2 or more", []check{module}},
	{baseline, "management", "rules, people, building, emergencies", []check{organisational}},
	{inventory, "algorithms", "SM2, SM3 and SM4 by their standards", []check{transport, identities, chain}},
	{inventory, "protocol", "communication by TLCP (GB/T 38636)", []check{transport}},
	{inventory, "ledger", "blocks are chained and signed", []check{chain, identities}},
	{inventory, "keys", "keys are made, kept and destroyed in a module", []check{keys}},
	{inventory, "random numbers", "from a tested source", []check{approved}},
}
