// SPDX-License-Identifier: Apache-2.0

// This file has the names of record types, classes and response codes.

package dns

import "strconv"

// Types that are read or named (IANA, Domain Name System Parameters).
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typePTR   = 12
	typeMX    = 15
	typeTXT   = 16
	typeAAAA  = 28
	typeSRV   = 33
	typeDNAME = 39
	typeOPT   = 41
	typeDS    = 43
	typeSPF   = 99
	typeSVCB  = 64
	typeHTTPS = 65

	classIN = 1
)

// typeName returns the name of a record type, "" for one without.
func typeName(t uint16) string {
	switch t {
	case typeA:
		return "A"
	case typeNS:
		return "NS"
	case typeCNAME:
		return "CNAME"
	case typeSOA:
		return "SOA"
	case 10:
		return "NULL"
	case typePTR:
		return "PTR"
	case 13:
		return "HINFO"
	case typeMX:
		return "MX"
	case typeTXT:
		return "TXT"
	case 17:
		return "RP"
	case 18:
		return "AFSDB"
	case 24:
		return "SIG"
	case 25:
		return "KEY"
	case typeAAAA:
		return "AAAA"
	case 29:
		return "LOC"
	case typeSRV:
		return "SRV"
	case 35:
		return "NAPTR"
	case 37:
		return "CERT"
	case typeDNAME:
		return "DNAME"
	case typeOPT:
		return "OPT"
	}
	return laterTypeName(t)
}

// laterTypeName has the types that came after EDNS.
func laterTypeName(t uint16) string {
	switch t {
	case typeDS:
		return "DS"
	case 44:
		return "SSHFP"
	case 45:
		return "IPSECKEY"
	case 46:
		return "RRSIG"
	case 47:
		return "NSEC"
	case 48:
		return "DNSKEY"
	case 50:
		return "NSEC3"
	case 51:
		return "NSEC3PARAM"
	case 52:
		return "TLSA"
	case 53:
		return "SMIMEA"
	case 59:
		return "CDS"
	case 60:
		return "CDNSKEY"
	case 61:
		return "OPENPGPKEY"
	case typeSVCB:
		return "SVCB"
	case typeHTTPS:
		return "HTTPS"
	case typeSPF:
		return "SPF"
	case 249:
		return "TKEY"
	case 250:
		return "TSIG"
	case 251:
		return "IXFR"
	case 252:
		return "AXFR"
	case 255:
		return "ANY"
	case 256:
		return "URI"
	case 257:
		return "CAA"
	}
	return ""
}

// appendType appends the name of type t in class c: "A", "TYPE123" (RFC 3597), and
// "CH TXT" where the class is not that of the internet.
func appendType(dst []byte, c, t uint16) []byte {
	switch c {
	case classIN:
	case 3:
		dst = append(dst, "CH "...)
	case 4:
		dst = append(dst, "HS "...)
	case 254:
		dst = append(dst, "NONE "...)
	case 255:
		dst = append(dst, "ANY "...)
	default:
		dst = append(strconv.AppendUint(append(dst, "CLASS"...), uint64(c), 10), ' ')
	}
	if n := typeName(t); n != "" {
		return append(dst, n...)
	}
	return strconv.AppendUint(append(dst, "TYPE"...), uint64(t), 10)
}

var statusNames = [16]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
	"YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", "DSOTYPENI", "RCODE12", "RCODE13", "RCODE14", "RCODE15"}

// statusName returns the name of a response code of four bits.
func statusName(rcode uint8) string { return statusNames[rcode&15] }
