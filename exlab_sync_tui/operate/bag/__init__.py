"""How is a verified run handed on as a BagIt bag (RFC 8493)?"""
